"""Where pictures come from: devices, streams and files, behind one small interface."""
