"""Injects faults into weightfs and judges what comes of them. See `run.py --help`; scripts/faults
builds what it needs and starts it.

Each scenario (driver.c has the table) is run once for each call that a fault can befall. After
each run the model on disk is whole, each tensor in it old or new, as of one commit; then what is
pending is recovered and saved without faults, and all that was acknowledged is in the model, and
nothing else lies there that did not before. expect.py says what is acknowledged, arena.py what is
looked at, powercut.py what a power cut leaves.
"""

import argparse
import collections
import itertools
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import models
import powercut
import writers
from arena import FIRST_BOOT, NEXT_BOOT, Arena, Violation

ERRORS = ['enospc', 'eio', 'edquot', 'full', 'dead', 'readonly', 'short']
KILLS = ['kill', 'killed', 'torn']
CUTS = ['cut', 'error-cut', 'kill-cut']
GROUPS = {**dict.fromkeys(ERRORS, 'error'), 'short': 'short', **dict.fromkeys(KILLS, 'kill'),
          **dict.fromkeys(writers.FAULTS, 'writer'), **dict.fromkeys(CUTS, 'power cut')}
CUTS_AT_ONCE = 20  # that one recording serves
FAR = 10**6


class Scenario:
    """program: the driver, or a command of weightctl that carries on where the driver died."""

    def __init__(self, name, kind, workdir, after, command=None):
        self.name, self.kind, self.workdir = name, models.KINDS.get(kind), workdir
        self.after, self.command = after, command
        self.backs_up, self.saves_elsewhere = 'backup' in name, 'output' in name


# Commands of weightctl under a fault: the model, and the scenario that was killed before.
COMMANDS = [
    ('recover', 'small', 'several'), ('recover', 'large', 'append'),
    ('recover', 'saved', 'saved-model'), ('commit', 'small', 'write'),
    ('commit', 'small', 'several'), ('commit', 'large', 'append-merge'),
    ('commit', 'saved', 'saved-model'), ('discard', 'small', 'several'),
    ('discard', 'saved', 'saved-model'), ('discard', 'large', 'append'),
    ('compact', 'large', 'append'), ('status', 'small', 'several'),
]


def load_scenarios(build):
    lines = subprocess.run([f'{build}/tests/faults/faults_driver', '--list'], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    found = {}
    for name, kind, workdir, after in (line.split('\t') for line in lines):
        if name != 'finish':
            found[name] = Scenario(name, kind, workdir, after)
    for command, kind, after in COMMANDS:
        name = f'weightctl-{command}:{after}'
        found[name] = Scenario(name, kind, '', after, command)
    return found


class Job:
    """at, prior: which call, counted from 1; below 1: that part of all the calls there are."""

    def __init__(self, scenario, fault, at, prior=None, samples=()):
        self.scenario, self.fault, self.at = scenario, fault, at
        self.prior, self.samples = prior, samples
        self.call = None  # what it befell, in the end

    def command(self, sample=None):
        words = ['scripts/faults', '--scenario', self.scenario.name, '--fault', self.fault]
        words += ['--at', str(self.at)] if self.at else []
        words += ['--prior', str(self.prior)] if self.prior else []
        if sample is not None:
            words += ['--sample', str(sample), '--seed', str(worker.seed)]
        return ' '.join(words)


class Result:
    def __init__(self, job, outcome, what='', sample=None):
        self.scenario, self.fault, self.outcome = job.scenario.name, job.fault, outcome
        self.call = job.call
        self.what, self.command = what, job.command(sample)


# ---------------------------------------------------------------------------------- in one worker

class Worker:
    def __init__(self, folder, build, scenarios, seed, tensorflow):
        self.arena = Arena(f'{folder}/{os.getpid()}', build)
        os.makedirs(self.arena.path, exist_ok=True)
        self.scenarios, self.seed = scenarios, seed
        self.tensorflow = TensorFlow(tensorflow) if tensorflow else None
        self.counts = {}

    # ---- how many calls there are

    def count(self, scenario, fault, prior):
        """Of the calls that the fault can befall, in an undisturbed run."""
        key = scenario.name, fault, prior
        if key not in self.counts:
            self._prepare(scenario, prior)
            program = self._run(scenario, fault=fault, at=FAR)
            if program.code != 0 and not prior:
                raise Violation(f'without any fault: {program}')
            self.counts[key] = program.count
        return self.counts[key]

    def resolve(self, job):
        """Makes numbers of fractions."""
        before = self.scenarios.get(job.scenario.after)
        if before and job.prior < 1:
            job.prior = 1 + int(job.prior * self.count(before, 'kill', None))
        if 0 < job.at < 1:
            fault = {'kill-cut': 'kill', 'error-cut': 'eio'}.get(job.fault, job.fault)
            job.at = 1 + int(job.at * self.count(job.scenario, fault, job.prior))

    # ---- running

    def _prepare(self, scenario, prior, **options):
        """The model, or what a kill at that call of the scenario before left of it."""
        kind = scenario.kind or self.scenarios[scenario.after].kind
        self.arena.reset(kind, scenario.saves_elsewhere)
        if scenario.after:
            program = self.arena.driver(self.scenarios[scenario.after], fault='kill', at=prior,
                                        **options)
            if not program.killed:
                raise Violation(f'the scenario before was not killed: {program}')

    def _run(self, scenario, **options):
        if scenario.command:
            return self.arena.command(scenario.command, **options)
        return self.arena.driver(scenario, **options)

    def inject(self, job):
        self.resolve(job)
        self._prepare(job.scenario, job.prior)
        if job.fault in writers.FAULTS:
            return self._meet_writer(job)
        program = self._run(job.scenario, fault=job.fault, at=job.at)
        job.call = program.hit.split(' ')[0] if program.hit else None
        if job.fault == 'short' and program.code != 0 and not job.prior:
            raise Violation(f'a short write, which is no error, was taken for one: {program}')
        if not program.hit and not job.prior:
            self._judge_undisturbed(job.scenario, program)
        outcome = self._judge(job.scenario, program)
        return outcome if program.hit else 'undisturbed'

    def _judge_undisturbed(self, scenario, program):
        if program.code != 0:
            raise Violation(f'without any fault: {program}')
        if not self.arena.modes_kept():
            raise Violation('without any fault: modes were not kept')

    def _meet_writer(self, job):
        self.arena.prepare_writer()
        program = self._run(job.scenario, fault=job.fault, at=job.at)
        if not program.hit:
            self._judge_undisturbed(job.scenario, program)
            return 'undisturbed'
        job.call = program.hit.split(' ')[0]
        return writers.judge(self.arena, job.scenario, program, job.fault.endswith('-late'))

    # ---- judging

    def _judge(self, scenario, program, boot=FIRST_BOOT):
        arena, when = self.arena, 'after the fault'
        arena.require_sound(when, boot)
        on_disk = arena.look(when)
        self._ask_tensorflow(on_disk)
        if not arena.expected.see_disk(on_disk):
            raise Violation(f'{when} the model on disk is of no commit that there was '
                            f'({describe(program)})')
        if program and not program.killed and not arena.expected.see_now(arena.shown()):
            raise Violation(f'{when} the program shows something else ({describe(program)})')
        arena.require_mine(when)
        arena.require_backup(when, boot)
        if scenario.saves_elsewhere:
            on_disk = arena.look_at_output(when, boot) or on_disk
        self.final = self._finish(scenario, program, boot)
        return self._outcome(program, on_disk, self.final)

    def _finish(self, scenario, program, boot):
        """What is pending is recovered and saved, without faults; nothing is left then."""
        arena, when = self.arena, 'after the recovery'
        if not arena.places(scenario):
            self._require_fine(arena.weightctl('recover', boot=boot), program)
            self.said = arena.weightctl('commit', boot=boot)
        else:
            self.said = arena.spawn(self._finish_command(scenario), boot=boot)
        if not (scenario.saves_elsewhere and 'exists already' in self.said.stderr):  # all is done
            self._require_fine(self.said, program)
        arena.require_sound(when, boot)
        final = arena.look(when)
        if scenario.saves_elsewhere:
            if not arena.expected.see_disk(final):
                raise Violation(f'{when} the original has changed ({describe(program)})')
            final = arena.look_at_output(when, boot) or final
        if not arena.expected.see_now(final):
            raise Violation(f'{when} edits are lost, or are back ({describe(program)})')
        arena.require_mine(when)
        arena.require_backup(when, boot)
        arena.require_tidy(f'{when}, after "{describe(program)}"', scenario.backs_up)
        return final

    def _finish_command(self, scenario):
        """weightctl knows no -o workdir and no -o output."""
        arena = self.arena
        return [f'{arena.build}/tests/faults/faults_driver', 'finish',
                f'{arena.run}/{arena.kind.argument}', '/dev/null',
                *arena.places(scenario)]

    def _require_fine(self, done, program):
        if done.code not in (0, 6):
            raise Violation(f'what was left cannot be taken up: {done} ({describe(program)})')

    def _outcome(self, program, on_disk, final):
        if program and not program.killed and program.code != 0:
            return 'reported, saved' if on_disk == final else 'reported, pending'
        return 'saved' if on_disk == final else 'pending'

    def _ask_tensorflow(self, on_disk):
        if not self.tensorflow or not self.tensorflow.wants_one():
            return
        arena = self.arena
        found = self.tensorflow.read(f'{arena.run}/{arena.kind.prefix}')
        for role, key in arena.kind.keys.items():
            if found.get(key) != models.digest(on_disk[role]):
                raise Violation(f'TensorFlow finds something else in {key}: {found}')

    # ---- power cuts

    def cut(self, job):
        """A recording, and several cuts in it: a Result each."""
        self.resolve(job)
        scenario, log = job.scenario, f'{self.arena.path}/log'
        kind = scenario.kind
        self.arena.reset(kind, scenario.saves_elsewhere)
        scanned = self.arena.scan()
        notes, start = [], 0
        if scenario.after:
            self._kill_before(scenario, job.prior, log)
            notes, start = [], len(powercut.read_records(log))
        self._record(job, log)
        records = powercut.read_records(log)
        if scenario.command:
            notes = said_by_command(scenario.command, start, len(records), self.recorded)
        if job.fault == 'error-cut':
            start = self._where(job, records)
        for sample in job.samples:
            rng = random.Random(f'{self.seed} {scenario.name} {job.fault} {job.at} {job.prior} '
                                f'{sample}')
            try:
                yield Result(job, self._cut_once(job, scanned, records, notes, start, rng), '',
                             sample)
            except Violation as violation:
                yield Result(job, 'VIOLATION', f'{violation} [{self.cut_text}]', sample)

    def _kill_before(self, scenario, prior, log):
        program = self.arena.driver(self.scenarios[scenario.after], fault='kill', at=prior,
                                    log=log)
        if not program.killed:
            raise Violation(f'the scenario before was not killed: {program}')

    def _record(self, job, log):
        fault = {'cut': None, 'error-cut': 'eio', 'kill-cut': 'kill'}[job.fault]
        self.recorded = self._run(job.scenario, fault=fault, at=job.at if fault else 0, log=log)

    def _where(self, job, records):
        """The cut comes after the error: what was recorded before it is in every such run."""
        self._prepare(job.scenario, job.prior)
        log = f'{self.arena.path}/log-to-the-error'
        self._run(job.scenario, fault='kill', at=job.at, log=log)
        return min(len(records), len(powercut.read_records(log)))

    def _cut_once(self, job, scanned, records, notes, start, rng):
        arena, position = self.arena, rng.randint(start, len(records))
        disk, said = powercut.Disk(scanned), []
        for i, record in enumerate(records[:position]):
            said += [text for at, text in notes if at == i]
            if record[0] == 'note':
                said += record[2].decode().splitlines()
            else:
                disk.replay(record)
        said += [text for at, text in notes if at == position]
        choice = powercut.Choice(disk, rng)
        self.cut_text = f'cut after record {position} of {len(records)}; {choice.text}'
        arena.lay_out(disk, choice)
        arena.expected.hear(said)
        promised = arena.expected.worlds
        arena.expected.cut()
        outcome = self._judge(job.scenario, None, NEXT_BOOT)
        if any(all(w.now[role].fits(content) for role, content in self.final.items())
               for w in promised):
            return outcome
        return 'unsynced edits dropped'


def said_by_command(command, start, end, program):
    what = {'recover': 'reopen', 'compact': 'commit'}.get(command, command)
    notes = [(start, f'begin 1 {what}')]
    if not program.killed:
        notes.append((end, 'ok 1' if program.code == 0 else f'fail 1 {program.code} ?'))
    return notes


def describe(program):
    return f'the faulty run: {program}' if program else 'power cut'


class TensorFlow:
    """A process that reads checkpoints; it is asked now and then."""

    EVERY = 50

    def __init__(self, python):
        script = Path(__file__).with_name('tensorflow_reads.py')
        self.process = subprocess.Popen([python, script], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.asked = 0

    def wants_one(self):
        self.asked += 1
        return self.asked % self.EVERY == 0

    def read(self, prefix):
        self.process.stdin.write(f'{prefix}\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline().rstrip('\n')
        return dict(pair.rsplit(' ', 1) for pair in line.split('\t') if pair)


worker = None


def start_worker(*arguments):
    global worker
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is interrupted ends us
    worker = Worker(*arguments)


def do_job(job):
    if job.fault in CUTS:
        try:
            return list(worker.cut(job))
        except Violation as violation:
            return [Result(job, 'VIOLATION', str(violation))]
    try:
        return [Result(job, worker.inject(job))]
    except Violation as violation:
        return [Result(job, 'VIOLATION', str(violation))]


def count_job(job):
    """All calls of a scenario, one job each; the last one is not disturbed any more."""
    try:
        n = worker.count(job.scenario, job.fault, None)
    except Violation as violation:
        return [], Result(job, 'VIOLATION', str(violation))
    return [Job(job.scenario, job.fault, at) for at in range(1, n + 2)], None


# --------------------------------------------------------------------------------- what to inject

def plan(options, scenarios, pool):
    """The jobs, and the results that there are already."""
    rng = random.Random(f'{options.seed} plan')
    chosen = [s for s in scenarios.values() if options.scenario in (None, s.name)]
    faults = ERRORS + KILLS if options.fault is None else \
        [options.fault] if options.fault not in CUTS + writers.FAULTS else []
    beside = [f for f in writers.FAULTS if options.fault in (None, f)]
    cuts = CUTS if options.fault is None else [options.fault] if options.fault in CUTS else []
    whole = [Job(s, f, 0) for s in chosen if not s.after for f in faults]
    whole += [Job(s, f, 0) for s in chosen if writers.meets(s) for f in beside]
    jobs, results = [], []
    for found, result in pool.imap(count_job, whole):
        jobs += found
        results += [result] if result else []
    for s in chosen:
        if s.after:
            jobs += [Job(s, f, rng.random(), rng.random())
                     for f in faults for _ in range(options.chained)]
        jobs += [job for fault in cuts for job in plan_cuts(s, fault, options, rng)]
    rng.shuffle(jobs)
    return in_turn(jobs), results


def in_turn(jobs):
    """However few of them are done, each scenario and each kind of fault is among them."""
    queues = collections.defaultdict(list)
    for job in jobs:
        queues[job.scenario.name, GROUPS[job.fault]].append(job)
    rounds = itertools.zip_longest(*queues.values())
    return [job for one in rounds for job in one if job]


def plan_cuts(scenario, fault, options, rng):
    if (fault == 'kill-cut') != bool(scenario.after):
        if fault == 'kill-cut':
            return  # a kill and then a cut is the cut alone, unless there is a recovery between
    n = options.cuts if fault == 'cut' else options.cuts // 2
    numbers = itertools.count()
    while n > 0:
        step = min(n, CUTS_AT_ONCE if fault == 'cut' and not scenario.after else 4)
        n -= step
        yield Job(scenario, fault, 0 if fault == 'cut' else rng.random(),
                  rng.random() if scenario.after else None,
                  list(itertools.islice(numbers, step)))


# -------------------------------------------------------------------------------------- reporting

COLUMNS = ['runs', 'whole', 'saved', 'pending', 'reported, saved', 'reported, pending',
           'unsynced edits dropped', 'undisturbed', 'VIOLATION']
HEADS = ['runs', 'whole', 'saved', 'pending', 'failed:saved', 'failed:pending', 'unsynced',
         'undisturbed', 'VIOLATIONS']


class Table:
    def __init__(self):
        self.rows, self.violations = collections.defaultdict(collections.Counter), {}
        self.calls = collections.defaultdict(collections.Counter)

    def add(self, result):
        row = self.rows[result.scenario, GROUPS[result.fault]]
        row['runs'] += 1
        if result.fault in CUTS or result.call:
            self.calls[result.fault][result.call or 'power cut'] += 1
        row[result.outcome] += 1
        row['whole'] += 'not whole' not in result.what
        if result.outcome == 'VIOLATION':
            key = re.sub(r'after "[^"]*"', '', result.what, flags=re.DOTALL)
            key = re.sub(r' *[(\[].*', '', key, flags=re.DOTALL)
            key = re.sub(r'\d+', 'N', re.sub(r'(m.bak.new/\S+ *)+', 'm.bak.new/...', key))
            self.violations.setdefault(key, []).append(result)

    def total(self, column):
        return sum(row[column] for row in self.rows.values())

    def print(self):
        width = max([len(scenario) for scenario, _ in self.rows] + [8])
        print(f'{"scenario":{width}}  {"fault":9}  {"  ".join(HEADS)}')
        for (scenario, fault), row in sorted(self.rows.items()):
            self._print_row(f'{scenario:{width}}  {fault:9}', row)
        self._print_row(f'{"all":{width}}  {"":9}',
                        {column: self.total(column) for column in COLUMNS})

    def print_calls(self):
        names = sorted({name for row in self.calls.values() for name in row})
        print(f'\n{"injected":10}  {"  ".join(names)}')
        for fault in [*GROUPS]:
            if row := self.calls.get(fault):
                print(f'{fault:10}  ' + '  '.join(
                    f'{row[name] or "-":>{len(name)}}' for name in names))

    def _print_row(self, start, row):
        cells = (f'{row[column] or "-":>{len(head)}}' for column, head in zip(COLUMNS, HEADS))
        print(f'{start}  {"  ".join(cells)}')

    def print_violations(self):
        for results in sorted(self.violations.values(), key=len, reverse=True):
            scenarios = collections.Counter(result.scenario for result in results)
            print(f'\n{len(results)} times: {results[0].what}')
            print('  in', ', '.join(f'{name} ({n})' for name, n in scenarios.most_common(6)))
            for result in results[:4]:
                print(f'    {result.command}')


def show_progress(done, jobs, table, start):
    if sys.stderr.isatty() and done % 100 == 0:
        print(f'\r{table.total("runs")} faults, {done} of {jobs} jobs, '
              f'{len(table.violations)} kinds of violations, {time.time() - start:.0f} s ',
              end='', file=sys.stderr)


def first(jobs, faults):
    """Of the jobs, which are shuffled, so many that there are that many faults, or a few more."""
    counts = itertools.accumulate((max(1, len(job.samples)) for job in jobs), initial=0)
    return [job for job, before in zip(jobs, counts) if before < faults] if faults else jobs


def run_all(options, scenarios, folder):
    table, start = Table(), time.time()
    with multiprocessing.Pool(options.jobs, start_worker, (
            folder, options.build, scenarios, options.seed, options.tensorflow)) as pool:
        jobs, results = plan(options, scenarios, pool)
        jobs = first(jobs, options.limit)
        for result in results:
            table.add(result)
        for done, found in enumerate(pool.imap_unordered(do_job, jobs, chunksize=4)):
            for result in found:
                table.add(result)
            show_progress(done, len(jobs), table, start)
    print()
    table.print()
    table.print_calls()
    table.print_violations()
    faults, failed = table.total('runs'), table.total('VIOLATION')
    print(f'\nseed {options.seed}; {faults} faults in {time.time() - start:.0f} s, '
          f'violations of {len(table.violations)} kinds')
    print(f'{faults - failed} passed, {failed} failed')
    return 1 if failed else 0


def run_one(options, scenarios, folder):
    """One fault, as a violation's command names it; the arena stays."""
    start_worker(folder, options.build, scenarios, options.seed, options.tensorflow)
    job = Job(scenarios[options.scenario], options.fault, options.at, options.prior,
              [options.sample])
    for result in do_job(job):
        print(f'{result.outcome} {result.what}')
    arena = worker.arena
    print(f'the arena is {arena.path}')
    return 1 if result.outcome == 'VIOLATION' else 0


def parse(arguments):
    parser = argparse.ArgumentParser(prog='scripts/faults', description=__doc__.split('\n')[0])
    parser.add_argument('--build', required=True, help=argparse.SUPPRESS)
    parser.add_argument('--quick', action='store_true', help='some hundreds, in under a minute')
    parser.add_argument('--seed', type=int, default=1, help='of all that is random')
    parser.add_argument('--scenario', help='only this one')
    parser.add_argument('--fault', choices=[*GROUPS], help='only this one')
    parser.add_argument('--at', type=int, default=0, help='only at this call')
    parser.add_argument('--prior', type=int, help='where the scenario before is killed')
    parser.add_argument('--sample', type=int, default=0, help='which of the power cuts')
    parser.add_argument('--cuts', type=int, default=120, help='power cuts a scenario')
    parser.add_argument('--chained', type=int, default=25,
                        help='faults of each kind a scenario that follows another one')
    parser.add_argument('--limit', type=int, default=10_000,
                        help='so many faults, of all that there are; 0: all')
    parser.add_argument('--jobs', type=int, default=min(4, os.cpu_count()))
    parser.add_argument('--tensorflow', metavar='PYTHON', help='let TensorFlow read a sample')
    parser.add_argument('--keep', action='store_true', help='leave the arenas where they are')
    options = parser.parse_args(arguments)
    if options.quick:
        options.cuts, options.chained, options.limit = 12, 1, 600
    return options


def main():
    options = parse(sys.argv[1:])
    os.umask(0o022)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit('interrupted'))
    scenarios = load_scenarios(options.build)
    if options.scenario and options.scenario not in scenarios:
        sys.exit(f'no scenario {options.scenario}; there are: {" ".join(scenarios)}')
    folder = f'/dev/shm/weightfs-faults/{os.getpid()}'
    os.makedirs(folder)
    one = options.scenario and options.fault and (options.at or options.fault == 'cut') and \
        ('--at' in ' '.join(sys.argv) or '--sample' in ' '.join(sys.argv))
    try:
        return (run_one if one else run_all)(options, scenarios, folder)
    finally:
        if not one and not options.keep:
            shutil.rmtree(folder)


if __name__ == '__main__':
    sys.exit(main())
