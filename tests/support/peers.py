"""Opens a BitLocker drive with libbde or dissect.fve and prints the SHA-256 of its first bytes.

peers.py READER DRIVE BYTES KIND: the key on standard input, or the path of a key file.
"""

import hashlib
import sys


def libbde(drive, kind, key):
    import pybde

    volume = pybde.volume()
    if kind == "password":
        volume.set_password(key)
    elif kind == "recovery-password":
        volume.set_recovery_password(key)
    else:
        volume.read_startup_key(key)
    volume.open(drive)
    if volume.is_locked():
        sys.exit("libbde says that the drive is still locked")
    return volume


def dissect(drive, kind, key):
    from dissect.fve.bde import BDE

    volume = BDE(open(drive, "rb"))
    if kind == "password":
        volume.unlock_with_passphrase(key)
    elif kind == "recovery-password":
        volume.unlock_with_recovery_password(key)
    else:
        volume.unlock_with_bek(open(key, "rb"))
    return volume.open()


def main():
    reader, drive, left, kind = sys.argv[1:]
    readers = {"libbde": libbde, "dissect": dissect}
    inside = readers[reader](drive, kind, sys.stdin.read())
    digest, left = hashlib.sha256(), int(left)
    while left:
        chunk = inside.read(min(left, 1 << 20))
        if not chunk:
            sys.exit(f"the inside ends {left} bytes early")
        digest.update(chunk)
        left -= len(chunk)
    print(digest.hexdigest())


main()
