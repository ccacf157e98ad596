"""The one file of configuration: each table in a module, checked before anything starts."""
