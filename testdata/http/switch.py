"""A switch between two hosts in VLAN 100, whose third port shows what passes, with tags. It
makes the three network interfaces far, near and mirror, and says so. Now and then it lets a
large frame from far to near wait for the one behind it."""
import contextlib
import fcntl
import os
import select
import struct

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000
TAG = struct.pack('>HH', 0x8100, 100)


def port(name):
    fd = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack('16sH', name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


far, near, mirror = (port(name) for name in ('far', 'near', 'mirror'))
print('ready', flush=True)
held, large = None, 0
while True:
    ready = select.select([far, near, mirror], [], [], 0.02 if held else None)[0]
    passing = [(fd, os.read(fd, 2000)) for fd in ready]
    if held and (not ready or far in ready):
        passing.append((far, held))
        held = None
    elif far in ready and len(passing[0][1]) > 800:
        large += 1
        if large % 4 == 2:
            held = passing.pop(0)[1]
    for fd, frame in passing:
        with contextlib.suppress(OSError):  # of a port that is not up
            if fd != mirror:
                os.write(mirror, frame[:12] + TAG + frame[12:])
                os.write(near if fd == far else far, frame)
