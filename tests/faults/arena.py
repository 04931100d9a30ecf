"""Where faults are injected: a fresh copy of a model, programs that run on it, and the verdict.

A worker has one folder in memory:

    PATH/pristine/KIND/   the models as they were made; never changed
    PATH/writers/KIND/    what somebody else saves to the same place
    PATH/writer/          the same, for this run
    PATH/run/             the arena: all below it is counted; run/m is the model
    PATH/notes ...        what the programs say; outside, so it is not counted
"""

import os
import shutil
import signal
from pathlib import Path

import models
import powercut
from expect import Expectation

OUTPUT = 'out'  # of -o output, in the arena
LIMIT = 60  # seconds; what takes longer hangs
FIRST_BOOT, NEXT_BOOT = 'boot-1', 'boot-2'


class Violation(Exception):
    """Something is true that must not be."""


class Program:
    """How one ended."""

    def __init__(self, status, stderr, report):
        self.killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        self.crashed = os.WIFSIGNALED(status) and not self.killed
        self.code = os.waitstatus_to_exitcode(status)
        self.stderr = stderr.strip()
        lines = report.splitlines()
        self.hit = next((line[4:] for line in lines if line.startswith('hit ')), None)
        self.count = next((int(line[6:]) for line in lines if line.startswith('count ')), 0)
        self.written = 'written' in lines

    def __str__(self):
        return f'{f"signal {-self.code}" if self.code < 0 else f"exit {self.code}"}' \
               f'{": " + self.stderr if self.stderr else ""}'


class Arena:
    def __init__(self, path, build):
        self.path, self.build = path, build
        self.run, self.notes = f'{path}/run', f'{path}/notes'
        self.kind = self.expected = None
        self.known = {}

    # ---- a fresh model

    def reset(self, kind, elsewhere=False):
        self.kind = kind
        self.clear()
        pristine = Path(self.path) / 'pristine' / kind.name
        if not pristine.exists():
            pristine.mkdir(parents=True)
            models.make_model(kind, pristine)
        models.copy_tree(pristine, self.run)
        if kind.name not in self.known:
            self._learn()
        self.base, self.large, self.mine, self.others, _ = self.known[kind.name]
        self.begin(elsewhere)

    def begin(self, elsewhere=False):
        """From here on it counts what is done to the model."""
        self.mine_now = {name: identity(f'{self.run}/{name}') for name in self.mine}
        self.expected = Expectation(
            {role: self.base[key.encode()] for role, key in self.kind.keys.items()}, elsewhere)

    def scan(self):
        return powercut.scan(self.run, f'{self.path}/pristine/{self.kind.name}')

    def lay_out(self, disk, choice):
        """The arena after a power cut."""
        shutil.rmtree(self.run)
        inodes = disk.lay_out(self.run, choice)
        Path(f'{self.path}/inodes').write_text(
            ''.join(f'{new} {old}\n' for new, old in inodes.items()))
        self.begin(self.expected.elsewhere)

    def clear(self):
        shutil.rmtree(self.run, ignore_errors=True)
        for name in os.listdir(self.path):
            if name not in ('pristine', 'writers', 'writer'):
                os.unlink(f'{self.path}/{name}')
        Path(f'{self.path}/{FIRST_BOOT}').write_text('the first boot\n')
        Path(f'{self.path}/{NEXT_BOOT}').write_text('the next boot\n')

    def _learn(self):
        """What is in the model, which file is too large to be read, what belongs to the user."""
        disk = models.OnDisk(f'{self.run}/{self.kind.prefix}')
        large = {(st.st_ino, st.st_size, st.st_mtime_ns)
                 for st in map(os.stat, disk.names) if st.st_size >= models.LINKED}
        model = {os.path.relpath(name, self.run) for name in disk.names}
        model.add(f'{self.kind.prefix}.index')
        names = files_below(self.run) - model
        folder = os.path.dirname(self.kind.prefix)
        prefix = os.path.basename(self.kind.prefix)
        mine = {f'{folder}/{name.replace("PREFIX", prefix)}' for name in models.MINE}
        mine |= {f'elsewhere/{name}' for name in models.MINE_ELSEWHERE}
        if self.kind.name == 'crowd':
            mine = names
        modes = {os.stat(f'{self.run}/{name}').st_mode for name in model}
        self.known[self.kind.name] = disk.tensors, large, mine, names - mine, modes

    # ---- somebody else

    def prepare_writer(self):
        made, now = (Path(self.path) / folder for folder in ('writers', 'writer'))
        if not (made / self.kind.name).exists():
            models.make_writers(self.kind, made / self.kind.name)
        shutil.rmtree(now, ignore_errors=True)
        models.copy_tree(made / self.kind.name, now)

    def finish_writing(self, program):
        """What has not come yet when the program ends; from here on the model is what he saved."""
        prefix, writer = f'{self.run}/{self.kind.prefix}', Path(self.path) / 'writer'
        if not program.written:
            Path(f'{prefix}.index').write_bytes((writer / 'index').read_bytes())
        kind, made = self.kind, Path(self.path) / 'writers' / self.kind.name
        name = f'{kind.name} of the writer'
        if name not in self.known:
            for file in ('data-00000-of-00001', 'index'):
                os.link(made / file.split('-')[0], made / f'w.{file}')
            disk, st = models.OnDisk(made / 'w'), os.stat(made / 'data')
            self.known[name] = disk.tensors, {(st.st_ino, st.st_size, st.st_mtime_ns)}
        self.base, self.large = self.known[name]

    def require_writers(self, when):
        """Or what became of that by edits that were made after it was saved."""
        disk = models.OnDisk(f'{self.run}/{self.kind.prefix}', self.base, self.large)
        self.require_others(disk, when)
        found = {role: disk.tensors[key.encode()] for role, key in self.kind.keys.items()}
        lines, history = read_text(self.notes).splitlines(), self.expected.history
        for start in range(len(lines) + 1):
            self.begin()
            self.expected.hear(lines[start:])
            self.expected.silence()
            history += self.expected.history
            if self.expected.see_disk(found):
                self.expected.history = history
                return
        raise Violation(f'{when} the model is not what somebody else has saved')

    # ---- programs

    def spawn(self, command, fault=None, at=0, call=None, log=None, boot=FIRST_BOOT):
        """Runs a program; with a fault, or with its calls recorded, or neither."""
        environment = {'LC_ALL': 'C.UTF-8', 'PATH': os.environ['PATH'],
                       'LD_PRELOAD': f'{self.build}/tests/faults/faults.so',
                       'WEIGHTFS_FAULT_BOOT': f'{self.path}/{boot}',
                       'WEIGHTFS_FAULT_INODES': f'{self.path}/inodes'}
        if at or log or fault == 'count':
            environment |= {'WEIGHTFS_FAULT_ROOT': self.run,
                            'WEIGHTFS_FAULT_NOTES': self.notes,
                            'WEIGHTFS_FAULT_REPORT': f'{self.path}/report'}
        if at:
            environment |= {'WEIGHTFS_FAULT': fault, 'WEIGHTFS_FAULT_AT': str(at),
                            'WEIGHTFS_FAULT_WRITER': f'{self.path}/writer',
                            'WEIGHTFS_FAULT_PREFIX': f'{self.run}/{self.kind.prefix}'}
        if call:
            environment['WEIGHTFS_FAULT_CALL'] = call
        if log:
            environment['WEIGHTFS_FAULT_LOG'] = log
        for name in ('report', 'stderr'):
            Path(f'{self.path}/{name}').write_bytes(b'')
        errors = (os.POSIX_SPAWN_OPEN, 2, f'{self.path}/stderr', os.O_WRONLY, 0)
        output = (os.POSIX_SPAWN_OPEN, 1, f'{self.path}/stdout',
                  os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        pid = os.posix_spawn(command[0], command, environment, file_actions=[errors, output])
        status = wait_for(pid, command)
        said = read_text(f'{self.path}/stderr').replace(f'{self.run}/', '')
        program = Program(status, said, read_text(f'{self.path}/report'))
        if program.crashed:
            raise Violation(f'{command_name(command)} crashed: {program}')
        return program

    def driver(self, scenario, **options):
        """Runs a scenario; what it said of itself is heard."""
        kind = self.kind
        command = [f'{self.build}/tests/faults/faults_driver', scenario.name,
                   f'{self.run}/{kind.argument}', self.notes,
                   *self.places(scenario),
                   *(f'{role}={key}' for role, key in kind.keys.items())]
        Path(self.notes).write_bytes(b'')
        program = self.spawn(command, **options)
        lines = read_text(self.notes).splitlines()
        self.expected.hear(lines)
        self.expected.silence()
        if not program.killed and (not lines or lines[-1] != f'end {program.code}'):
            raise Violation(f'the driver did not come to its end: {program}')
        return program

    def places(self, scenario):
        """The driver's options that say where things go."""
        if scenario.workdir:
            return ['--workdir', f'{self.run}/{scenario.workdir}']
        return ['--output', f'{self.run}/{OUTPUT}'] if scenario.saves_elsewhere else []

    def weightctl(self, *words, **options):
        """Runs a command on the model, or on another one that is named by an absolute path."""
        words = list(words)
        if len(words) == 1:
            words.append(f'{self.run}/{self.kind.argument}')
        return self.spawn([f'{self.build}/weightctl', *words], **options)

    def command(self, word, **options):
        """A command that changes something, heard as if it were in the driver's notes."""
        what = {'recover': 'reopen', 'compact': 'commit'}.get(word, word)
        if what == 'commit':  # which recovers first
            self.expected.hear(['begin 0 reopen', 'ok 0'])
        self.expected.hear([f'begin 1 {what}'])
        program = self.weightctl(word, **options)
        if not program.killed:
            self.expected.hear(['ok 1' if program.code == 0 else
                                f'fail 1 {program.code} {program.stderr}'])
        self.expected.silence()
        if not program.killed and program.code and not program.stderr:
            raise Violation(f'weightctl {word} failed and said nothing ({program})')
        return program

    def acknowledged(self, what):
        """The driver has said that one of those went well."""
        lines = read_text(self.notes).splitlines()
        return any(line.split(' ')[2:3] == [what] and f'ok {line.split(" ")[1]}' in lines
                   for line in lines)

    # ---- verdicts

    def require_sound(self, when, boot=FIRST_BOOT, model=None):
        program = self.weightctl('check', *([model] if model else []), boot=boot)
        if program.code != 0:
            raise Violation(f'{when} the model is not whole: {program} '
                            f'{read_text(f"{self.path}/stdout").strip()}')

    def look(self, when):
        """The roles' contents on disk; all else must be as it was."""
        try:
            disk = models.OnDisk(f'{self.run}/{self.kind.prefix}', self.base, self.large)
        except (OSError, AssertionError, IndexError) as error:
            raise Violation(f'{when} the model cannot be read: {error}') from None
        self.require_others(disk, when)
        return {role: disk.tensors[key.encode()] for role, key in self.kind.keys.items()}

    def require_others(self, disk, when):
        edited = {key.encode() for key in self.kind.keys.values()}
        for key in self.base.keys() | disk.tensors.keys():
            if key not in edited and disk.tensors.get(key) != self.base.get(key):
                raise Violation(f'{when} {key} has changed, though nobody edited it')

    def look_at_output(self, when, boot=FIRST_BOOT):
        """The roles' contents in the place to which edits go; None: there is nothing."""
        path = f'{self.run}/{OUTPUT}'
        prefix = f'{path}/variables/variables' if self.kind.saved_model else path
        if not os.path.exists(path if self.kind.saved_model else f'{prefix}.index'):
            return None
        self.require_sound(f'{when}, at the output,', boot, path)
        try:
            disk = models.OnDisk(prefix)
        except (OSError, AssertionError, IndexError) as error:
            raise Violation(f'{when} the output cannot be read: {error}') from None
        self.require_others(disk, when)
        return {role: disk.tensors[key.encode()] for role, key in self.kind.keys.items()}

    def require_mine(self, when):
        for name, was in self.mine_now.items():
            if identity(f'{self.run}/{name}') != was:
                raise Violation(f'{when} the user\'s own file {name} is another, or gone')

    def require_tidy(self, when, backups=False):
        """Nothing is there that is no part of the model, and all of that is."""
        disk = models.OnDisk(f'{self.run}/{self.kind.prefix}', self.base, self.large)
        model = {os.path.relpath(name, self.run) for name in disk.names}
        must = model | self.mine | self.others | {f'{self.kind.prefix}.index'}
        found = {name for name in files_below(self.run)
                 if not (backups and is_backup(name, self.kind))
                 and not (self.expected.elsewhere and is_output(name, self.kind))}
        left = {name for name in found - must if not self.is_unmarked(name)}
        missing = must - found - {'m/fingerprint.pb'}
        if left or missing:
            raise Violation(f'{when}' + ''.join(
                f'; {what}: {" ".join(sorted(names))}'
                for what, names in (('left behind', left), ('missing', missing)) if names))

    def is_unmarked(self, name):
        """A data file in the user's own folder that a power cut left without its first bytes:
        nothing says that it is ours."""
        path = f'{self.run}/{name}'
        return name.startswith('elsewhere/data.') and not Path(path).read_bytes()[:1].strip(b'\0')

    def modes_kept(self):
        disk = models.OnDisk(f'{self.run}/{self.kind.prefix}', self.base, self.large)
        names = [*disk.names, f'{self.run}/{self.kind.prefix}.index']
        return {os.stat(name).st_mode for name in names} == self.known[self.kind.name][4]

    def require_backup(self, when, boot=FIRST_BOOT):
        """A backup, if there is one, is a whole model, and one that was there before."""
        prefix = f'{self.run}/m.bak/variables/variables' if self.kind.saved_model else \
            f'{self.run}/m/ckpt.bak'
        if not os.path.exists(f'{prefix}.index'):
            return
        model = f'{self.run}/m.bak' if self.kind.saved_model else prefix
        self.require_sound(f'{when}, in its backup,', boot, model)
        disk = models.OnDisk(prefix)
        if not self.expected.see_backup({role: disk.tensors[key.encode()]
                                         for role, key in self.kind.keys.items()}):
            raise Violation(f'{when} the backup is no state that the model was in')

    def shown(self):
        """What the driver said that the tensors hold."""
        found = {}
        for role in self.kind.keys:
            path = Path(f'{self.notes}.{role}')
            if path.exists():
                found[role] = path.read_bytes()
        return found


def is_output(name, kind):
    if kind.saved_model:
        return name.startswith(f'{OUTPUT}/')
    return name in (f'{OUTPUT}.index', f'{OUTPUT}.data-00000-of-00001')


def is_backup(name, kind):
    if kind.saved_model:
        return name in ('m.bak/', 'm.bak.by-weightfs') or name.startswith('m.bak/')
    return name in ('m/ckpt.bak.index', 'm/ckpt.bak.by-weightfs') or \
        (name.startswith('m/ckpt.bak.data-') and '-of-' in name)


def files_below(folder):
    """Names of all files, and of the folders that are empty."""
    found, pending = set(), ['']
    while pending:
        here = pending.pop()
        names = list(os.scandir(f'{folder}/{here}'))
        if not names and here:
            found.add(here)
        for entry in names:
            if entry.is_dir(follow_symlinks=False):
                pending.append(f'{here}{entry.name}/')
            else:
                found.add(f'{here}{entry.name}')
    return found


def identity(path):
    try:
        st = os.lstat(path)
    except FileNotFoundError:
        return None
    return st.st_ino, st.st_size, st.st_mtime_ns, st.st_mode  # a backup may link it


def read_text(path):
    with open(path, encoding='utf-8', errors='backslashreplace') as file:
        return file.read()


def command_name(command):
    return ' '.join([os.path.basename(command[0]), *command[1:2]])


def wait_for(pid, command):
    def on_alarm(*_):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise Violation(f'{command_name(command)} hangs')

    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(LIMIT)
    try:
        return os.waitpid(pid, 0)[1]
    finally:
        signal.alarm(0)
