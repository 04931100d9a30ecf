"""What the times of one machine do not tell another: how many requests of FUSE and how many calls
of the daemon a job takes, and how many bytes it writes.

They are counted in a pass of its own, with strace at the daemon, which is never timed.
"""

import collections
import dataclasses
import re
import shutil
import signal
import struct
import subprocess
import tempfile

NAMES = {1: 'LOOKUP', 2: 'FORGET', 3: 'GETATTR', 4: 'SETATTR', 5: 'READLINK', 14: 'OPEN',
         15: 'READ', 16: 'WRITE', 18: 'RELEASE', 22: 'GETXATTR', 25: 'FLUSH', 27: 'OPENDIR',
         28: 'READDIR', 29: 'RELEASEDIR', 42: 'BATCH_FORGET', 44: 'READDIRPLUS'}
CALLS = ('read', 'readv', 'pread64', 'preadv', 'preadv2', 'write', 'writev', 'pwrite64', 'pwritev',
         'pwritev2', 'copy_file_range', 'splice')
CALL = re.compile(r'\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*) = (\d+)$')
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2}){8})"')
SMALLEST = 40  # the header of a request


@dataclasses.dataclass
class Count:
    """How much of something there was, and how much there may be."""

    value: float
    what: str
    goal: float

    def reached(self):
        return self.value <= self.goal

    def __str__(self):
        return f'{self.value:.3g} {self.what} (<= {self.goal:.3g})'


class Calls:
    """What a daemon was asked, by the names of requests, and which calls it made for that."""

    def __init__(self):
        self.requests, self.calls = collections.Counter(), collections.Counter()

    def add(self, line):
        """A line of strace's."""
        if not (found := CALL.match(line)):
            return
        name, arguments, result = found[1], found[2], int(found[3])
        if name == 'read' and (opcode := opcode_in(arguments, result)) is not None:
            self.requests[NAMES.get(opcode, str(opcode))] += 1
        else:
            self.calls[name] += 1

    def reads(self):
        """Of files: of the kernel come requests."""
        return sum(n for name, n in self.calls.items() if 'read' in name)

    def all_requests(self):
        """That wait for an answer."""
        return self.requests.total() - self.requests['FORGET'] - self.requests['BATCH_FORGET']


def opcode_in(arguments, size):
    """That of a request, whose first word is its size; or None, for something else."""
    if size < SMALLEST or not (found := TEXT.search(arguments)):
        return None
    length, opcode = struct.unpack('<II', bytes.fromhex(found[1].replace('\\x', '')))
    return opcode if length == size else None


def watch(pid, action):
    """The calls of a process while something is done; None where strace may not look at it."""
    if not shutil.which('strace'):
        return None
    with tempfile.NamedTemporaryFile('r', encoding='ascii') as out:
        command = ['strace', '-f', '-e', f'trace={",".join(CALLS)}', '-s', '8', '-xx',
                   '-o', out.name, '-p', str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            if 'attached' not in tracer.stderr.readline():
                return None
            action()
            tracer.send_signal(signal.SIGINT)
            tracer.stderr.read()
        calls = Calls()
        for line in out:
            calls.add(line.rstrip())
    return calls


def of_reading(pid, action, n, what, goal):
    """Counts of a pass that reads n times `what`: with `goal` requests each no more is done."""
    if not (calls := watch(pid, action)):
        return []
    few = 0.04 * goal  # the file is opened, too, and what is read ahead begins small
    return [Count(calls.requests['READ'] / n, f'READ a {what}', goal + few),
            Count(calls.calls['writev'] / n, f'writev a {what}', goal + few),
            Count(calls.reads(), 'reads of files', 0)]


def of_nothing(pid, action):
    """Counts of a pass that reads what the kernel remembers."""
    calls = watch(pid, action)
    return [Count(calls.requests['READ'], 'READ', 0)] if calls else []


def of_walking(pid, action, files, goal):
    """Counts of a pass through folders, and what is allowed for a thousand files."""
    calls = watch(pid, action)
    return [Count(1000 * calls.all_requests() / files, 'requests a thousand files', goal)] \
        if calls else []
