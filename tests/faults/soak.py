"""Many programs at work on a mount for a long time: readers, writers (in place, whole, by .npy),
fsyncs, saves, and a daemon that is killed at random moments; compared with what is in memory.

Each tensor has one writer. A program that was told that its file is written finds it again,
whatever happens to the daemon; of what was under way when it was killed, each byte is the old or
the new one; and the model on disk is whole all the while.
"""

import faulthandler
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import models

sys.path.insert(0, os.fspath(Path(__file__).resolve().parent.parent / 'mount'))
from mounting import FINE, LEFT_OVER, Mount, weightctl, work_folders  # noqa: E402

LIFE = 40  # seconds that one model lives


class Variable:
    """What a tensor must hold: now, and what its writer is about to make of it."""

    def __init__(self, role, key):
        self.role, self.key = role, key
        self.path = key.removesuffix(models.VALUE)
        self.now = self.next = None
        self.by_halves = False  # that may be there in part
        self.version = 0        # odd: it is being written

    def begin(self, content, by_halves):
        self.next, self.by_halves = content, by_halves
        self.version += 1

    def done(self):
        self.now = self.next
        self.version += 1

    def may_be(self, content):
        if content == self.now or self.version % 2 == 0:
            return content == self.now
        return content == self.next or (
            self.by_halves and len(content) == len(self.now) and
            all(c in pair for c, *pair in zip(content, self.now, self.next)))

    def settle(self, content):
        self.now, self.version = content, self.version + self.version % 2


class Soak:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.counts = dict.fromkeys(('writes', 'reads', 'fsyncs', 'saves', 'kills', 'mounts',
                                     'checks'), 0)
        self.violations = []
        self.stopping = threading.Event()

    def violation(self, what):
        self.violations.append(what)
        self.stopping.set()
        print(f'VIOLATION {what}', file=sys.stderr)

    # ---- the programs

    def program(self, what, *arguments):
        rng = random.Random(self.rng.random())

        def run():
            while not self.stopping.is_set():
                try:
                    what(rng, *arguments)
                except OSError as error:
                    if not self.stopping.is_set() and not self.killing:
                        self.violation(f'{what.__name__}: {error}')
                    return
                time.sleep(rng.random() * 0.01)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def write(self, rng, mount, v):
        how = rng.choice(['in place', 'in place', 'whole', 'npy', 'fsync'])
        if how in ('in place', 'fsync'):
            self.write_in_place(rng, mount, v, how == 'fsync')
            return
        content = rng.randbytes(len(v.now))
        raw = mount.path / 'variables' / v.path
        npy = mount.path / 'npy' / f'{v.path}.npy'
        head = b'' if how == 'whole' else npy.read_bytes()[:-len(v.now)]
        v.begin(content, False)
        (raw if how == 'whole' else npy).write_bytes(head + content)
        v.done()
        self.counts['writes'] += 1

    def write_in_place(self, rng, mount, v, sync):
        start = rng.randrange(len(v.now))
        part = rng.randbytes(rng.randrange(1, len(v.now) - start + 1))
        v.begin(v.now[:start] + part + v.now[start + len(part):], True)
        with open(mount.path / 'variables' / v.path, 'r+b', buffering=0) as file:
            os.pwrite(file.fileno(), part, start)
            if sync:
                os.fsync(file.fileno())
                self.counts['fsyncs'] += 1
        v.done()
        self.counts['writes'] += 1

    def read(self, rng, mount, variables):
        v = rng.choice(variables)
        version, content = v.version, (mount.path / 'variables' / v.path).read_bytes()
        self.counts['reads'] += 1
        if version % 2 == 0 and v.version == version and content != v.now:
            self.violation(f'{v.path}: a reader finds something else')

    def save(self, rng, mount):
        time.sleep(rng.random() * 0.3)
        mount.commit()
        self.counts['saves'] += 1

    # ---- one mount

    def work(self, mount, variables, seconds, kill):
        self.stopping.clear()
        self.killing = False
        programs = [self.program(self.write, mount, v) for v in variables]
        programs += [self.program(self.read, mount, variables) for _ in range(2)]
        programs += [self.program(self.save, mount)]
        self.stopping.wait(seconds)
        if kill:
            self.killing = True
            mount.kill()
            self.counts['kills'] += 1
        self.stopping.set()
        for thread in programs:
            thread.join(30)
            if thread.is_alive():
                faulthandler.dump_traceback()
                self.violation('a program hangs')
                break

    def mount_once(self, model, variables, seconds, kill):
        with Mount(model) as mount:
            self.counts['mounts'] += 1
            for v in variables:
                content = (mount.path / 'variables' / v.path).read_bytes()
                if v.now is not None and not v.may_be(content):
                    self.violation(f'{v.path}: after a mount it holds something else')
                v.settle(content)
            self.work(mount, variables, seconds, kill)
            if kill:
                mount.detach()
            else:
                code, said = mount.unmount()
                if code not in (FINE, LEFT_OVER):  # a draft may have died with a daemon
                    self.violation(f'weightfs -u: {code} {said}')

    def check(self, model):
        done = weightctl('check', model)
        self.counts['checks'] += 1
        if done.returncode != FINE:
            self.violation(f'not whole: {done.stdout} {done.stderr}')

    def live(self, kind, folder, seconds):
        """A fresh model, mounted again and again."""
        models.make_model(kind, folder)
        model = folder / kind.argument
        variables = [Variable(role, key) for role, key in kind.keys.items()]
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.violations:
            kill = self.rng.random() < 0.6
            self.mount_once(model, variables, self.rng.uniform(0.2, 5), kill)
            self.check(model)
        if not self.violations:
            self.mount_once(model, variables, 0.5, False)
            self.look_at_disk(kind, model, folder, variables)

    def look_at_disk(self, kind, model, folder, variables):
        self.check(model)
        disk = models.OnDisk(f'{folder}/{kind.prefix}')
        for v in variables:
            if disk.tensors[v.key.encode()] != v.now:
                self.violation(f'{v.path}: something else was saved')
        if work_folders(model):
            self.violation(f'left behind: {work_folders(model)}')


def soak(minutes, seed):
    """True if all was well."""
    run, end = Soak(seed), time.monotonic() + 60 * minutes
    kinds = [models.KINDS[name] for name in ('small', 'large', 'saved', 'two')]
    for i in range(1 << 30):
        left = end - time.monotonic()
        if left <= 0 or run.violations:
            break
        folder = Path(tempfile.mkdtemp(prefix='weightfs-soak-'))
        run.live(kinds[i % len(kinds)], folder, min(LIFE, left))
        shutil.rmtree(folder)
    print(', '.join(f'{n} {what}' for what, n in run.counts.items()))
    return not run.violations


def main(minutes, seed, reports):
    """With reports, a folder, a sanitizer writes there."""
    ok = soak(minutes, seed)
    found = sorted(Path(reports).iterdir()) if reports else []
    for path in found:
        print(path.read_text()[:6000])
    failed = (not ok) + len(found)
    print(f'{int(ok)} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(float(sys.argv[1]), sys.argv[2],
                  sys.argv[3] if len(sys.argv) > 3 else None))
