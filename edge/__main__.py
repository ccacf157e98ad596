"""`python -m edge` is the program `nevgate`."""

from edge.cli.program import main

if __name__ == "__main__":
    main()
