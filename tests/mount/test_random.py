"""Long random sequences of edits, compared with the rules written down in Python."""

import errno
import os
import random

import pytest

from mounting import FINE, cat, fails, wait_for_content

SIZES = {'bytes': 10007, 'pages': 16384, 'tiny': 20}


class Rules:
    """What a variable must show, by the rules, after any sequence of edits."""

    def __init__(self, content):
        self.size, self.accepted, self.draft = len(content), bytearray(content), None

    def seen(self):
        return bytes(self.accepted if self.draft is None else self.draft)

    def write(self, offset, part):
        """How many bytes go in."""
        part = part[:max(self.size - offset, 0)]
        target = self.accepted if self.draft is None else self.draft
        if part:
            target.extend(bytes(max(offset - len(target), 0)))
            target[offset:offset + len(part)] = part
        return len(part)

    def truncate(self, size):
        if size == self.size and self.draft is None:
            return
        target = bytearray(self.seen()[:size])
        self.draft = target + bytes(size - len(target))

    def judge(self):
        """A close or an fsync: true if the content is complete."""
        if self.draft is not None and len(self.draft) == self.size:
            self.accepted, self.draft = self.draft, None
        return self.draft is None


class RandomEditor:
    """Edits one variable at random, with several handles, and follows the rules beside it."""

    def __init__(self, rng, path, content):
        self.rng, self.path, self.rules = rng, path, Rules(content)
        self.writers = []
        self.reader = open(path, 'rb', buffering=0)

    def step(self):
        actions = [self.open, self.pwrite, self.pwrite, self.pwrite, self.fill, self.ftruncate,
                   self.fsync, self.close, self.close, self.truncate_closed]
        self.rng.choice(actions)()
        self.compare()

    def compare(self):
        expected = self.rules.seen()
        assert self.path.stat().st_size == len(expected)
        assert os.pread(self.reader.fileno(), self.rules.size + 1, 0) == expected
        assert self.path.read_bytes() == expected

    def offset(self):
        size = self.rules.size
        return self.rng.choice([0, size - 1, size, size + 1, 4096, self.rng.randrange(size),
                                len(self.rules.seen())])

    def open(self):
        if len(self.writers) > 3:
            return
        truncate = self.rng.random() < 0.5
        flags = self.rng.choice((os.O_WRONLY, os.O_RDWR)) | (os.O_TRUNC if truncate else 0)
        self.writers.append(os.open(self.path, flags))
        if truncate:
            self.rules.truncate(0)

    def pwrite(self, offset=None, part=None):
        if not self.writers:
            return
        offset = self.offset() if offset is None else offset
        part = part or self.rng.randbytes(self.rng.choice((1, 5, 4096, 9000)))
        expected = self.rules.write(offset, part)
        if expected:
            assert os.pwrite(self.rng.choice(self.writers), part, offset) == expected
        else:
            with fails(errno.EFBIG):
                os.pwrite(self.rng.choice(self.writers), part, offset)

    def fill(self):
        """What a draft lacks at its end, so that it is not always dropped."""
        missing = self.rules.size - len(self.rules.seen())
        if missing:
            self.pwrite(len(self.rules.seen()), self.rng.randbytes(missing))

    def ftruncate(self):
        if not self.writers:
            return
        size, fd = self.offset(), self.rng.choice(self.writers)
        if size > self.rules.size:
            with fails(errno.EFBIG):
                os.ftruncate(fd, size)
        else:
            os.ftruncate(fd, size)
            self.rules.truncate(size)

    def truncate_closed(self):
        if self.writers:
            return
        size = self.offset()
        if size == self.rules.size:
            os.truncate(self.path, size)
        else:
            with fails(errno.EFBIG if size > self.rules.size else errno.EINVAL):
                os.truncate(self.path, size)

    def fsync(self):
        if self.writers:
            os.fsync(self.rng.choice(self.writers))
            self.rules.judge()

    def close(self):
        if not self.writers:
            return
        fd = self.writers.pop(self.rng.randrange(len(self.writers)))
        if self.rules.judge():
            os.close(fd)
            return
        with fails(errno.EINVAL):
            os.close(fd)
        if not self.writers:
            self.rules.draft = None
            wait_for_content(self.path, self.rules.seen())

    def child_has_closed(self):
        """A program that is run closes the handles it inherits: complete drafts are accepted."""
        if self.writers:
            self.rules.judge()
        self.compare()

    def finish(self):
        while self.writers:
            self.close()
        self.reader.close()
        return bytes(self.rules.accepted)


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('commits', [False, True], ids=['', 'with commits'])
def test_random_edits_follow_the_rules(mount, plain_contents, seed, commits):
    rng = random.Random(seed)
    editors = {name: RandomEditor(rng, mount.file(name), plain_contents[name])
               for name in SIZES}
    for _ in range(400):
        editors[rng.choice(list(editors))].step()
        if commits and rng.random() < 0.02:
            mount.commit()
            assert {name: cat(mount.model, name) for name in editors} == \
                {name: editor.rules.accepted for name, editor in editors.items()}
            for editor in editors.values():
                editor.child_has_closed()
    expected = {name: editor.finish() for name, editor in editors.items()}
    code, said = mount.unmount()
    assert code == FINE, said
    assert {name: cat(mount.model, name) for name in expected} == expected
    untouched = plain_contents.keys() - expected.keys()
    assert all(cat(mount.model, name) == plain_contents[name] for name in untouched)
