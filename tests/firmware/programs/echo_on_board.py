"""Send back every byte of the line, 3 included."""

import sys

import micropython

micropython.kbd_intr(-1)
sys.stderr.write("ready")
while True:
    octet = sys.stdin.buffer.read(1)
    if not octet:
        break
    sys.stdout.buffer.write(octet)
