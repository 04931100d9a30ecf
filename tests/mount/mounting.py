"""The programs under test, and models mounted with them."""

import contextlib
import errno
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
DATA = TESTS / 'data'
BUILD = Path(os.environ.get('WEIGHTFS_BUILD', TESTS.parent / 'build'))
SANITIZED = os.environ.get('WEIGHTFS_SANITIZED') == '1'
LIMIT = 240 if SANITIZED else 60  # seconds; what takes longer hangs
CONNECTIONS = Path('/sys/fs/fuse/connections')

WAYS_TO_END = [f'{shlex.quote(str(BUILD))}/weightfs -u', 'fusermount3 -u', 'umount',
               'SIGTERM', 'SIGINT', 'SIGHUP']

FINE, FINDING, USAGE, NOT_MOUNTABLE, SAVE_FAILED, CHANGED, LEFT_OVER, BUSY = range(8)


class Reports:
    """What sanitizers have found: a daemon has no standard error, so they write files."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix='weightfs-reports-'))

    def environment(self):
        names = ('ASAN_OPTIONS', 'UBSAN_OPTIONS', 'LSAN_OPTIONS')
        return {name: f'{os.environ.get(name, "")}:log_path={self.folder}/report'
                for name in names}

    def take(self):
        found = [path.read_text() for path in sorted(self.folder.iterdir())]
        for path in self.folder.iterdir():
            path.unlink()
        return '\n'.join(text for text in found
                         if not KILLED.fullmatch(text) and not TRACED.fullmatch(text))


# What is left of a daemon that was killed just when the sanitizer looked for leaks.
KILLED = re.compile(r'(==\d+==Unable to get registers from thread \d+\.\n*)+')

# What it says at the end of a daemon that strace looks at: leaks cannot be looked for then.
TRACED = re.compile(r'==\d+==LeakSanitizer has encountered a fatal error\.\n'
                    r'(==\d+==HINT: .*\n*)*==\d+==HINT: LeakSanitizer does not work under ptrace.*\n*')


reports = Reports() if SANITIZED else None
LIVE = set()  # mounts


def environment():
    return {**os.environ, **(reports.environment() if reports else {}), 'LC_ALL': 'C.UTF-8'}


def run(*command, timeout=LIMIT, **options):
    """Runs a program to its end; one that hangs is killed, and fails the test."""
    options = {'capture_output': True, 'text': True, 'errors': 'surrogateescape',
               'env': environment(), **options}
    return subprocess.run([os.fspath(word) for word in command], timeout=timeout, **options)


def weightfs(*arguments, **options):
    return run(BUILD / 'weightfs', *arguments, **options)


def weightctl(*arguments, **options):
    return run(BUILD / 'weightctl', *arguments, **options)


def cat(model, name):
    """The bytes of a tensor of the model on disk."""
    done = weightctl('cat', model, name, text=False, errors=None)
    assert done.returncode == FINE, done.stderr
    return done.stdout


def assert_sound(model):
    done = weightctl('check', model)
    assert done.returncode == FINE, done.stdout + done.stderr


def bash(script, **options):
    return run('bash', '-c', script, **options)


@contextlib.contextmanager
def fails(number):
    """Within it an OSError of that errno comes."""
    with pytest.raises(OSError) as caught:
        yield
    assert errno.errorcode.get(caught.value.errno) == errno.errorcode[number]


def wait_until(condition, what, seconds=LIMIT):
    """The first true value of condition()."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f'not in {seconds} s: {what}'
        time.sleep(0.005)
    return value


def wait_for_content(path, content):
    """The last close is over when the kernel says so; what is dropped then is not at once gone."""
    wait_until(lambda: path.read_bytes() == content and path.stat().st_size == len(content),
               f'{path.name} shows its content')


def mount_number(path):
    """The FUSE connection at the mountpoint (the uppermost), or None."""
    found = None
    for line in Path('/proc/self/mountinfo').read_text().splitlines():
        _, _, device, _, mountpoint = line.split(' ')[:5]
        if re.sub(r'\\(\d{3})', lambda m: chr(int(m[1], 8)), mountpoint) == os.fspath(path):
            found = int(device.split(':')[1])
    return found


def process_lives(pid):
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in 'ZX'


def work_folders(model):
    """Where edits are kept, if there are any."""
    model = Path(model)
    if model.name == 'saved_model.pb':
        model = model.parent
    if model.is_dir():
        return list(model.glob('*.weightfs'))
    prefix = re.sub(r'\.(index|meta|data-\d{5}-of-\d{5})$', '', os.fspath(model))
    return [path for path in [Path(f'{prefix}.weightfs')] if path.exists()]


def snapshot(folder):
    """All that a commit could change of the files below a folder."""
    found = {}
    for path in [folder, *folder.rglob('*')]:
        st = path.lstat()
        content = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else None
        found[path.relative_to(folder)] = (st.st_mode, st.st_uid, st.st_gid, st.st_ino,
                                           st.st_nlink, st.st_mtime_ns, content)
    return found


def names_in(folder):
    return {os.fspath(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file()}


def edit(path):
    """Changes each byte of a variable in place; what it is then."""
    content = bytes(byte ^ 0x01 for byte in path.read_bytes())
    with open(path, 'r+b', buffering=0) as file:
        file.write(content)
    return content


def fill(folder):
    """Leaves no space."""
    with open(folder / 'filler', 'wb', buffering=0) as file, fails(errno.ENOSPC):
        while True:
            file.write(bytes(4096))


class Mount:
    """A model, mounted on a fresh mountpoint; whoever leaves it saves and unmounts it.

    A daemon that answers nothing is cut off after LIMIT seconds, so that a test fails and does
    not hang.
    """

    def __init__(self, model, *options, at=None, flags=()):
        self.model = Path(model)
        self.own = None if at else tempfile.mkdtemp(prefix='weightfs-')
        self.path = Path(at or self.own)
        fd, path = tempfile.mkstemp(prefix='weightfs-', suffix='.log')
        os.close(fd)
        self.logfile = Path(path)
        self.options = [*options, f'logfile={self.logfile}']
        self.flags = flags
        self.pid = self.watchdog = None
        self.over = False  # unmounted, killed or given up: nothing is left to be saved

    def __enter__(self):
        done = weightfs(self.model, self.path, *self.flags, '-o', ','.join(self.options))
        self.said = done.stderr
        if done.returncode != FINE:
            self._clean_up()
            raise AssertionError(f'not mounted ({done.returncode}): {done.stderr}')
        self._watch()
        self.pid = self.status()['pid']
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None and not self.over:
                lost = 'unfinished draft' in self.said
                code, said = self.unmount()
                assert code == (LEFT_OVER if lost else FINE), said
        finally:
            self._clean_up()

    def file(self, path):
        """The file of a variable."""
        return self.path / 'variables' / path

    def status(self):
        return json.loads((self.path / '.weightfs/status').read_text())

    def log(self):
        return (self.path / '.weightfs/log').read_text()

    def full_log(self):
        """The log as it is, or was, on disk: also when the mount is gone."""
        return self.logfile.read_text()

    def pending(self):
        return {entry['path'] for entry in self.status()['pending']}

    def mounted(self):
        return mount_number(self.path) is not None

    def control(self, command):
        """Writes a command; the errno is raised."""
        fd = os.open(self.path / '.weightfs/control', os.O_WRONLY)
        try:
            os.write(fd, command.encode())
        finally:
            os.close(fd)

    def commit(self):
        self.control('commit\n')

    def unmount(self):
        """`weightfs -u`: the exit code, and what was said."""
        done = weightfs('-u', self.path)
        if done.returncode in (FINE, LEFT_OVER):
            self.ended()
        if done.returncode == FINE:
            assert work_folders(self.model) == [], 'all was saved, but a work folder is left'
        return done.returncode, done.stderr

    def unmount_read_only(self):
        """The same, though others have edits pending."""
        done = weightfs('-u', self.path)
        assert (done.returncode, done.stderr) == (FINE, '')
        self.ended()

    def unmount_dead(self):
        done = weightfs('-u', self.path)
        return done.returncode, done.stderr

    def ended(self):
        """Waits for the end of the daemon, whatever brings it about."""
        wait_until(lambda: not process_lives(self.pid), 'the daemon has ended')
        assert not self.mounted()
        self.over = True

    def signal(self, number):
        os.kill(self.pid, number)

    def end(self, way):
        """Saves and ends it in any way: a signal's name, or a command."""
        if way.startswith('SIG'):
            self.signal(signal.Signals[way])
        else:
            assert bash(f'{way} {shlex.quote(str(self.path))}').returncode == FINE
        self.ended()

    def kill(self):
        """SIGKILL; a dead mount stays."""
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        wait_until(self.is_dead, 'the daemon is dead')
        self.over = True

    def is_dead(self):
        try:
            os.statvfs(self.path)  # stat() may be answered from the kernel's memory
        except OSError as error:
            return error.errno == errno.ENOTCONN
        return not self.mounted()

    def give_up(self, *files):
        """Leaves edits where they are: kills the daemon, under open files, and detaches."""
        self.kill()
        for fd in files:
            with pytest.raises(OSError):
                os.close(fd)
        self.detach()

    def detach(self):
        run('umount', '-lq', self.path)

    def _watch(self):
        abort = CONNECTIONS / str(mount_number(self.path)) / 'abort'
        script = f"""while :; do
            read -rt {LIMIT}; status=$?
            [ $status = 0 ] && continue
            [ $status -gt 128 ] || exit 0
            echo 1 2>/dev/null >{abort} || umount -f {shlex.quote(str(self.path))}
            exit 1
        done"""
        self.watchdog = subprocess.Popen(['bash', '-c', script], stdin=subprocess.PIPE,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        LIVE.add(self)

    def beat(self):
        """Another test begins: LIMIT is that of one test."""
        with contextlib.suppress(BrokenPipeError):
            self.watchdog.stdin.write(b'\n')
            self.watchdog.stdin.flush()

    def _clean_up(self):
        if self.mounted():
            self.detach()
        if self.pid:
            with contextlib.suppress(AssertionError):
                wait_until(lambda: not process_lives(self.pid), 'the daemon has ended', 5)
        if self.pid and process_lives(self.pid):
            os.kill(self.pid, signal.SIGKILL)
        self.logfile.unlink(missing_ok=True)
        if self.own and not self.mounted():
            self.path.rmdir()
        LIVE.discard(self)
        if self.watchdog:
            self.watchdog.stdin.close()
            assert self.watchdog.wait(LIMIT) == 0, f'the mount did not answer for {LIMIT} s'
