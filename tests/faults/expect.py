"""What must be true of a model after what a program has said about its edits.

The driver's notes (driver.c) tell what it was about to do and what it was answered. From them
follow *worlds*: each is one thing that may be true. A world has for each role

    disk    what the model on disk holds
    now     what it holds once all that is pending was committed
    safe    the same after a power cut

and there is more than one where an answer was never given (a kill), or was "it failed".
"""

from functools import lru_cache

from models import bundle

SIZE_MAX = 16384
STEPS = bytes((at * 7 + at // 251) % 255 for at in range(SIZE_MAX))


@lru_cache(1000)
def filling(fill, offset, size):
    """What edit number `fill` of the driver writes there."""
    table = bytes(1 + (x + fill * 41) % 255 for x in range(256))
    return STEPS[offset:offset + size].translate(table)


class Value:
    """The bytes that a tensor may have: one of `whole`, mixed bytewise within `torn`."""

    def __init__(self, whole, torn=()):
        self.whole, self.torn = tuple(dict.fromkeys(whole)), tuple(torn)

    def written(self, offset, part):
        end = offset + len(part)
        torn = [(a, b) for a, b in self.torn if a < offset or b > end]
        return Value([w[:offset] + part + w[end:] for w in self.whole], torn)

    def perhaps(self, offset, part, torn):
        both = self.whole + self.written(offset, part).whole
        return Value(both, self.torn + (((offset, offset + len(part)),) if torn else ()))

    def fits(self, content):
        return content in self.whole or (bool(self.torn) and self._is_mixed(content))

    def _is_mixed(self, content):
        first = self.whole[0]
        if len(content) != len(first):
            return False
        inside = bytearray(len(content))
        for start, end in self.torn:
            inside[start:end] = b'\1' * (end - start)
        same = {bytes(w[i] for i in range(len(w)) if not inside[i]) for w in self.whole}
        rest = bytes(c for c, i in zip(content, inside) if not i)
        return rest in same and all(
            any(w[i] == content[i] for w in self.whole) for i in range(len(content)) if inside[i])


class World:
    def __init__(self, disk, now, safe):
        self.disk, self.now, self.safe = disk, now, safe

    def committed(self):
        return World(self.now, self.now, self.now)

    def discarded(self):
        return World(self.disk, self.disk, self.disk)

    def changed(self, role, now, safe):
        return World(self.disk, {**self.now, role: now}, {**self.safe, role: safe})

    def synced(self):
        return World(self.disk, self.now, self.now)

    def after_cut(self):
        return World(self.disk, self.safe, self.safe)


def fits(values, contents):
    return all(values[role].fits(content) for role, content in contents.items())


class Expectation:
    """base: role -> content, of the model before anything was done; elsewhere: the model stays as it is,
    and what is committed goes to another place, which shows what there is `now`."""

    def __init__(self, base, elsewhere=False):
        values = {role: Value([content]) for role, content in base.items()}
        self.worlds = [World(values, values, values)]
        self.base, self.history = values, [values]
        self.begun, self.elsewhere = None, elsewhere
        self.failures = []  # what the program has admitted
        self.acknowledged = 0

    # ---- what a program says

    def hear(self, lines):
        for line in lines:
            word, *rest = line.split(' ', 3)
            if word == 'begin':
                self._answer('none')
                self.begun = line.split(' ')[2:]
            elif word == 'ok':
                self._answer('ok')
            elif word == 'fail':
                self.failures.append(f'{" ".join(self.begun or ())}: {" ".join(rest[1:])}')
                self._answer('fail')

    def silence(self):
        """The program says nothing any more."""
        self._answer('none')

    def _answer(self, answer):
        if self.begun:
            what, *rest = self.begun
            self.begun = None
            getattr(self, f'_{what}', lambda *_: None)(answer == 'ok', *rest)

    def _write(self, ok, role, offset, size, fill):
        self._edit(ok, role, int(offset), filling(int(fill), int(offset), int(size)), True)

    def _draft(self, ok, role, offset, size, fill):
        self._edit(ok, role, int(offset), filling(int(fill), int(offset), int(size)), False)

    def _text(self, ok, role, size, fill):
        stored, _ = bundle.strings_of([filling(int(fill), 0, int(size))])
        self.acknowledged += ok
        for i, w in enumerate(self.worlds):
            now = Value([stored]) if ok else Value((*w.now[role].whole, stored))
            self.worlds[i] = w.changed(role, now, Value((*w.safe[role].whole, stored)))

    def _edit(self, ok, role, offset, part, torn):
        self.acknowledged += ok
        for i, w in enumerate(self.worlds):
            now = w.now[role].written(offset, part) if ok else \
                w.now[role].perhaps(offset, part, torn)
            safe = w.safe[role].perhaps(offset, part, torn)
            self.worlds[i] = w.changed(role, now, safe)

    def _commit(self, ok):
        if self.elsewhere:
            self._sync(ok)
            return
        done = [w.committed() for w in self.worlds]
        self.history += [w.disk for w in done]
        self.worlds = done if ok else self.worlds + done

    def _discard(self, ok):
        done = [w.discarded() for w in self.worlds]
        self.worlds = done if ok else self.worlds + done

    def _sync(self, ok):
        if ok:
            self.worlds = [w.synced() for w in self.worlds]

    def cut(self):
        """The power went."""
        self.silence()
        self.worlds = [w.after_cut() for w in self.worlds]

    # ---- what is seen

    def see_disk(self, contents):
        """False: it cannot be."""
        self.worlds = [w for w in self.worlds if fits(w.disk, contents)]
        for i, w in enumerate(self.worlds):
            if w.disk is w.now:  # it cannot have become something else
                exact = {role: Value([content]) for role, content in contents.items()}
                self.worlds[i] = World(exact, exact, exact)
        return bool(self.worlds)

    def see_now(self, contents):
        self.worlds = [w for w in self.worlds if fits(w.now, contents)]
        return bool(self.worlds)

    def see_backup(self, contents):
        """A backup is some state that the model was in."""
        return any(fits(values, contents) for values in self.history)
