"""Mounts, ours and those of others, and the models that are mounted."""

import contextlib
import ctypes
import functools
import json
import os
import shutil
import signal
import stat
import time
from pathlib import Path

import checkpoints
from measure import GIB, MIB, Skipped, run, user_options

CLONE_NEWNS = 0x20000
PAD = 12344  # what the tensors of a real model begin at is no multiple of anything


class Bench:
    """The build to be measured, and a folder for models that are made when first needed."""

    def __init__(self, build, folder, rounds, quick):
        self.build, self.folder, self.rounds = Path(build), Path(folder), rounds
        self.size = GIB // 4 if quick else GIB  # of what is read and written
        self.folders = 100 if quick else 1000   # of a hundred tensors each

    @property
    def tensors(self):
        return self.folders * 100

    def path(self, name):
        return self.folder / name

    @functools.cached_property
    def one(self):
        """A checkpoint that is nearly all one tensor, and a native copy of that."""
        prefix = self.path('one')
        checkpoints.write_bundle(prefix, {'a': PAD, 'big': self.size, 'small': 64 << 10})
        return prefix

    @functools.cached_property
    def native(self):
        return checkpoints.write_plain(self.path('native'), self.size)

    @functools.cached_property
    def pieces(self):
        """The bytes of `one` as tensors of 16 MiB."""
        prefix = self.path('pieces')
        os.link(shard_of(self.one), shard_of(prefix))
        parts = {f'b/{i:02}': 16 * MIB for i in range(self.size // (16 * MIB))}
        checkpoints.write_index(prefix, {'a': PAD} | parts)
        return prefix

    @functools.cached_property
    def large(self):
        """A checkpoint four times as large, of big tensors, middling and small ones."""
        prefix = self.path('large')
        sizes = {'a': PAD} | {f'big/{i}': self.size for i in range(2)}
        sizes |= {f'middle/{i:03}': self.size // 64 for i in range(128)}
        sizes |= {f'small/{i:02}': 64 << 10 for i in range(64)}
        checkpoints.write_bundle(prefix, sizes)
        return prefix

    @functools.cached_property
    def many(self):
        """A checkpoint of tensors of 40 bytes, and the same tree as files."""
        prefix = self.path('many')
        checkpoints.write_bundle(prefix, dict.fromkeys(self.names(), 40))
        return prefix

    @functools.cached_property
    def tree(self):
        root = self.path('tree')
        for name in self.names():
            if name.endswith('/00'):
                (root / name).parent.mkdir(parents=True)
            (root / name).write_bytes(checkpoints.BLOCK[:40])
        return root

    @functools.cached_property
    def tiny(self):
        prefix = self.path('tiny')
        checkpoints.write_bundle(prefix, {f'layer_{i}/{kind}': 400 for i in range(3)
                                     for kind in ('bias', 'kernel')})
        return prefix

    def names(self):
        return [f'layer_{i:04}/{k:02}' for i in range(self.folders) for k in range(100)]

    def forget(self, *names):
        """Removes models that are not needed any more."""
        for name in names:
            self.__dict__.pop(name, None)
            shutil.rmtree(self.path(name), ignore_errors=True)
            for path in self.folder.glob(f'{name}*'):
                path.unlink()


def shard_of(prefix):
    return Path(f'{prefix}.data-00000-of-00001')


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Skipped(f'needs {program}')


def needs_root():
    if os.geteuid():
        raise Skipped('needs root')


def is_mounted(path):
    """Also of a mount whose daemon is dead, or that lets only its own user in."""
    lines = Path('/proc/self/mountinfo').read_text().splitlines()
    return any(line.split(' ')[4] == os.fspath(path) for line in lines)


def detach(path):
    run('fusermount3', '-u', '-z', path)


def let_all_users_mount(folder):
    """As root: gives this process, and what it starts, a /dev/fuse that each user may open, where
    that of the machine is for root alone. Its mounts are seen by nobody else then."""
    if os.geteuid() or os.stat('/dev/fuse').st_mode & 0o006 == 0o006:
        return
    node = folder / 'fuse'
    with contextlib.suppress(OSError, RuntimeError):
        os.mknod(node, 0o600 | stat.S_IFCHR, os.stat('/dev/fuse').st_rdev)
        node.chmod(0o666)
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
            return
        run('mount', '--make-rprivate', '/')
        run('mount', '--bind', node, '/dev/fuse')


@contextlib.contextmanager
def mounted(path, *command):
    """A mount that somebody else's program makes."""
    path.mkdir()
    try:
        run(*command)
        yield path
    finally:
        if is_mounted(path):
            detach(path)
        path.rmdir()


class Mount:
    """A model mounted, as root or as another user; edits that are left are given up."""

    def __init__(self, bench, prefix, user=None):
        self.bench, self.prefix, self.user = bench, prefix, user
        self.path = bench.path(f'mnt-{prefix.name}')
        self.log = bench.path(f'log-{prefix.name}')

    def __enter__(self):
        self.path.mkdir()
        self.log.touch()
        if self.user:
            shutil.chown(self.path, self.user)
            shutil.chown(self.log, self.user)
        try:
            self.mount()
        except BaseException:
            self.path.rmdir()
            raise
        return self

    def __exit__(self, *_):
        if is_mounted(self.path):
            self.abandon()
        self.path.rmdir()

    def file(self, name):
        return self.path / 'variables' / name

    @property
    def pid(self):
        return json.loads((self.path / '.weightfs/status').read_text())['pid']

    @property
    def edits(self):
        return Path(f'{self.prefix}.weightfs')

    def command(self):
        return self.bench.build / 'weightfs', self.prefix, self.path, '-o', f'logfile={self.log}'

    def mount(self):
        run(*self.command(), **user_options(self.user))

    def unmount(self):
        run(self.bench.build / 'weightfs', '-u', self.path, **user_options(self.user))

    def remount(self):
        self.unmount()
        self.mount()

    def abandon(self):
        """Ends the daemon so that it saves nothing, and removes what was edited."""
        pid = None
        with contextlib.suppress(OSError):  # it may be dead, or the user's, whom we cannot ask
            pid = self.pid
            os.kill(pid, signal.SIGKILL)
        detach(self.path)
        while pid and os.path.exists(f'/proc/{pid}/exe'):
            time.sleep(0.01)
        shutil.rmtree(self.edits, ignore_errors=True)

    def fresh(self):
        """Mounts the model as it is on disk, without edits."""
        self.abandon()
        self.mount()

    def commit(self):
        control = os.open(self.path / '.weightfs/control', os.O_WRONLY)
        os.write(control, b'commit\n')
        os.close(control)

    def written(self):
        """Bytes that the daemon has written so far."""
        text = Path(f'/proc/{self.pid}/io').read_text()
        return int(text.split('\nwrite_bytes: ')[1].split()[0])

    def anonymous(self):
        """The daemon's own memory, in bytes."""
        text = Path(f'/proc/{self.pid}/status').read_text()
        return int(text.split('RssAnon:')[1].split()[0]) * 1024
