"""The packer that this interpreter can run: machine code where it has viper, bytecode else."""

try:
    from .pack_viper import fill, put, seal
except (ImportError, SyntaxError, ValueError):  # no MicroPython; no viper; machine code of another machine
    from .pack_plain import fill, put, seal

__all__ = ["fill", "put", "seal"]
