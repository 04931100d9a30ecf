"""What a file system may hold after a power cut: the records of shim.c, replayed.

Nothing is promised but what POSIX and fsync promise:

    data    what was written to a file is there once that file was synced; until then each write
            may be there, or not, or in part (torn at a multiple of 512 bytes)
    names   what was done to a folder is there once that folder was synced; until then each
            change may be there or not. A rename is one change, but of two folders, and each half
            is made durable by its own. An `ordered` file system (ext4, XFS) is kinder: changes of
            names happen in their order, and any sync makes all of them durable
    errors  a sync that failed is no reason for the next one to write the same data again

Files are known by the inode numbers that the records have.
"""

import os
import shutil

from models import copy_file

SECTOR = 512
PENDING, DURABLE, ADRIFT = range(3)  # of a write; adrift: its sync has failed


class Inode:
    def __init__(self, mode, origin=None, entries=None):
        self.mode, self.origin, self.entries = mode, origin, entries  # entries: of a folder
        self.writes = []   # [state, how, arguments]

    def settle(self, state):
        for write in self.writes:
            if write[0] == PENDING:
                write[0] = state


def scan(folder, origins):
    """What a Disk begins with: [(inode, mode, path, is a folder, name, inode of its folder)]. The
    files' bytes are in a folder like it that stays."""
    st = os.stat(folder)
    found = [(st.st_ino, st.st_mode & 0o7777, origins, True, '', 0)]
    with os.scandir(folder) as entries:
        for entry in entries:
            origin = f'{origins}/{entry.name}'
            if entry.is_dir(follow_symlinks=False):
                below = scan(entry.path, origin)
                below[0] = (*below[0][:4], entry.name, st.st_ino)
                found += below
            else:
                mode = entry.stat(follow_symlinks=False).st_mode & 0o7777
                found.append((entry.inode(), mode, origin, False, entry.name, st.st_ino))
    return found


class Disk:
    """The arena as it was scanned, and all that was done to it, up to some record."""

    def __init__(self, scanned):
        self.inodes, self.changes, self.ordered_until = {}, 0, 0
        self.root = scanned[0][0]
        for inode, mode, origin, is_folder, name, folder in scanned:
            # Entries of a folder are [number of the change, durable, name, inode or None].
            self.inodes[inode] = Inode(mode, entries=[]) if is_folder else Inode(mode, origin)
            if folder:
                self.inodes[folder].entries.append([0, True, name, inode])

    # ---- records

    def replay(self, record):
        how, arguments, data = record
        if how != 'note':
            getattr(self, f'_{how}')(*arguments, *([data] if data is not None else []))

    def _change(self, *halves):
        """halves: (folder, name, inode or None), of one change."""
        self.changes += 1
        for folder, name, inode in halves:
            self.inodes[int(folder)].entries.append(
                [self.changes, False, name, int(inode) if inode else None])

    def _create(self, inode, folder, name, mode):
        self.inodes[int(inode)] = Inode(int(mode, 8))
        self._change((folder, name, inode))

    def _unnamed(self, inode, mode):
        self.inodes[int(inode)] = Inode(int(mode, 8))

    def _mkdir(self, inode, folder, name, mode):
        self.inodes[int(inode)] = Inode(int(mode, 8), entries=[])
        self._change((folder, name, inode))

    def _link(self, inode, folder, name):
        self._change((folder, name, inode))

    def _unlink(self, folder, name):
        self._change((folder, name, None))

    def _rename(self, inode, folder, name, _, to_folder, to_name):
        self._change((folder, name, None), (to_folder, to_name, inode))

    def _exchange(self, inode, folder, name, other, to_folder, to_name):
        self._change((folder, name, other), (to_folder, to_name, inode))

    def _chmod(self, inode, mode):
        self.inodes[int(inode)].mode = int(mode, 8)

    def _write(self, inode, offset, _, data):
        self.inodes[int(inode)].writes.append([PENDING, 'write', (int(offset), data)])

    def _truncate(self, inode, size):
        self.inodes[int(inode)].writes.append([PENDING, 'truncate', (int(size),)])

    def _punch(self, inode, offset, size):
        self.inodes[int(inode)].writes.append([PENDING, 'punch', (int(offset), int(size))])

    def _sync(self, inode):
        node = self.inodes[int(inode)]
        self.ordered_until = self.changes
        node.settle(DURABLE)
        for entry in node.entries or ():
            entry[1] = True

    def _unsynced(self, inode):
        self.inodes[int(inode)].settle(ADRIFT)

    # ---- what is not durable

    def loose_writes(self):
        return [(inode, i) for inode, node in self.inodes.items()
                for i, write in enumerate(node.writes) if write[0] != DURABLE]

    def loose_changes(self, ordered):
        if ordered:
            return list(range(self.ordered_until + 1, self.changes + 1))
        return sorted({entry[0] for node in self.inodes.values() for entry in node.entries or ()
                       if not entry[1]})

    # ---- making it real

    def lay_out(self, folder, choice):
        """Makes the folder, which is not there, as the disk has it after that choice. Whom its
        inodes stand for: {new number: number in the records}."""
        made = {}
        self._lay_out(self.root, folder, choice, made)
        return {os.lstat(path).st_ino: inode for inode, path in made.items()}

    def _lay_out(self, inode, path, choice, made):
        node = self.inodes[inode]
        os.mkdir(path, 0o700)
        names = {}
        for change, durable, name, target in node.entries:
            if (change <= self.ordered_until if choice.ordered else durable) or \
                    change in choice.changes:
                names[name] = target
        for name, target in names.items():
            if target is None:
                continue
            to = f'{path}/{name}'
            if target in made:
                os.link(made[target], to)
            elif self.inodes[target].entries is not None:
                self._lay_out(target, to, choice, made)
            else:
                self._lay_out_file(target, to, choice)
                made[target] = to
        os.chmod(path, node.mode)

    def _lay_out_file(self, inode, path, choice):
        node = self.inodes[inode]
        writes = [(how, arguments, choice.torn.get((inode, i)))
                  for i, (state, how, arguments) in enumerate(node.writes)
                  if state == DURABLE or (inode, i) in choice.writes]
        if node.origin and not writes:
            copy_file(node.origin, path)
            return
        if node.origin:
            shutil.copyfile(node.origin, path)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        for how, arguments, torn in writes:
            apply(fd, how, arguments, torn)
        os.fchmod(fd, node.mode)
        os.close(fd)


def apply(fd, how, arguments, torn):
    if how == 'truncate':
        os.ftruncate(fd, *arguments)
    elif how == 'write':
        offset, data = arguments
        start, end = torn or (0, len(data))
        os.pwrite(fd, data[start:end], offset + start)
    else:
        offset, n = arguments
        n = min(n, max(0, os.fstat(fd).st_size - offset))
        os.pwrite(fd, bytes(n), offset)


class Choice:
    """What of all that is not durable is there nevertheless."""

    def __init__(self, disk, rng):
        self.ordered = rng.random() < 0.4
        writes, changes = disk.loose_writes(), disk.loose_changes(self.ordered)
        how = rng.choice(['none', 'names', 'data', 'all but one', 'some', 'some'])
        self.torn = {}
        keep_writes = {'none': 0, 'names': 0}.get(how, 1)
        keep_changes = {'none': 0, 'data': 0}.get(how, 1)
        if how == 'some':
            keep_writes, keep_changes = rng.choice([.2, .5, .8]), rng.choice([.2, .5, .8])
        self.writes = {w for w in writes if rng.random() < keep_writes}
        self.changes = {c for c in changes if rng.random() < keep_changes}
        if how == 'all but one' and writes + changes:
            out = rng.choice(writes + changes)
            self.writes.discard(out)
            self.changes.discard(out)
        if self.ordered and how != 'names':
            self.changes = set(changes[:rng.randint(0, len(changes))])
        if how in ('some', 'all but one') and self.writes:
            self._tear(disk, rng)
        self.text = (f'{how}{", names in order" if self.ordered else ""}; {len(self.writes)} of '
                     f'{len(writes)} writes, {len(self.changes)} of {len(changes)} names'
                     f'{", one torn" if self.torn else ""}')

    def _tear(self, disk, rng):
        inode, i = rng.choice(sorted(self.writes))
        _, how, arguments = disk.inodes[inode].writes[i]
        if how != 'write':
            return
        offset, data = arguments
        bounds = [b - offset for b in range(offset // SECTOR * SECTOR, offset + len(data), SECTOR)
                  if b > offset]
        if bounds:
            at = rng.choice(bounds)
            self.torn[inode, i] = rng.choice([(0, at), (at, len(data))])


def read_records(path):
    """[(how, arguments, data or None)] of a log of shim.c."""
    with open(path, 'rb') as file:
        log = file.read()
    records, at = [], 0
    while at < len(log):
        end = log.index(b'\n', at)
        how, *arguments = log[at:end].decode().split(' ')
        at, data = end + 1, None
        if how in ('write', 'note'):
            size = int(arguments[-1])
            data, at = log[at:at + size], at + size
        records.append((how, arguments, data))
    return records
