"""A daemon that is killed loses nothing that was acknowledged, and never harms the model.

The moments are random: WEIGHTFS_SEED sets the seed, which a failing test prints.
"""

import contextlib
import errno
import os
import random
import subprocess
import threading
import time

import pytest

from mounting import (BUILD, FINE, LEFT_OVER, Mount, assert_sound, cat, edit, environment, fails,
                      names_in, run, snapshot, wait_until, weightctl, weightfs, work_folders)

SEED = int(os.environ.get('WEIGHTFS_SEED', time.time_ns() % 1_000_000))
ROUNDS = 30
EDITED = ('bytes', 'large', 'pages', 'tiny')


@pytest.fixture
def rng(request):
    print(f'WEIGHTFS_SEED={SEED}')
    return random.Random(f'{SEED} {request.node.name}')


def saved_by_the_next_mount(model):
    with Mount(model) as m:
        pass
    assert work_folders(model) == []
    return m


# ------------------------------------------------------------------------------ killed after edits

@pytest.mark.parametrize('fsync', [False, True])
def test_edits_of_a_killed_daemon_are_pending_at_the_next_mount(plain, plain_contents, fsync):
    with Mount(plain) as m:
        contents = {name: edit(m.file(name)) for name in ('bytes', 'tiny')}
        if fsync:
            fd = os.open(m.file('tiny'), os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)
        m.give_up()
    assert_sound(plain)
    assert cat(plain, 'bytes') == plain_contents['bytes']
    with Mount(plain) as m:
        assert 'pending' in m.said and '2 tensors' in m.said
        assert m.status()['state'] == 'edited'
        assert m.pending() == {'variables/bytes', 'variables/tiny'}
        assert {name: m.file(name).read_bytes() for name in contents} == contents
        assert m.file('pages').read_bytes() == plain_contents['pages']
    assert {name: cat(plain, name) for name in contents} == contents


@pytest.mark.parametrize('model, name', [('mlp', 'layer_with_weights-0/kernel'),
                                         ('train/ckpt-3', 'net/l1/bias')])
def test_edits_of_real_models_are_pending_too(copy_of, model, name):
    model = copy_of(model)
    with Mount(model) as m:
        content = edit(m.file(name))
        m.give_up()
    assert saved_by_the_next_mount(model).said
    assert cat(model, f'variables/{name}') == content


def test_a_write_in_the_middle_of_a_block_survives(plain, plain_contents):
    with Mount(plain) as m:
        with open(m.file('large'), 'r+b', buffering=0) as file:
            os.pwrite(file.fileno(), b'survives', 700_001)
        m.give_up()
    expected = plain_contents['large'][:700_001] + b'survives' + plain_contents['large'][700_009:]
    with Mount(plain) as m:
        assert m.file('large').read_bytes() == expected
    assert cat(plain, 'large') == expected


def test_edits_survive_several_killings(plain):
    contents = {}
    for name in EDITED:
        with Mount(plain) as m:
            assert m.pending() == {f'variables/{name}' for name in contents}
            contents[name] = edit(m.file(name))
            m.give_up()
    saved_by_the_next_mount(plain)
    assert {name: cat(plain, name) for name in contents} == contents


def test_a_draft_of_a_killed_daemon_is_dropped_and_that_is_said(plain, plain_contents):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        fd = os.open(m.file('bytes'), os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b'unfinished')
        os.fsync(fd)
        m.give_up(fd)
    with Mount(plain) as m:
        assert 'unfinished draft' in m.said
        assert m.file('bytes').read_bytes() == plain_contents['bytes']
        assert m.pending() == {'variables/tiny'}
        assert [dropped['path'] for dropped in m.status()['dropped']] == ['variables/bytes']
        code, _ = m.unmount()
        assert code == LEFT_OVER
    assert cat(plain, 'tiny') == content
    assert cat(plain, 'bytes') == plain_contents['bytes']


@pytest.mark.parametrize('committed', [False, True])
@pytest.mark.parametrize('model, path, found', [
    ('train/ckpt-3', 'npy/net/l1/bias.npy', 'variables/net/l1/bias'),
    ('train/ckpt-3', 'text/net/l1/bias.txt', 'variables/net/l1/bias'),
    ('dtypes', 'variables/string/vector', 'variables/string/vector')])
def test_a_draft_of_a_text_is_missed_once(copy_of, model, path, found, committed):
    model = copy_of(model)
    with Mount(model) as m:
        before = (m.path / path).read_bytes()
        fd = os.open(m.path / path, os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b'unfinished')
        if committed:
            m.commit()
        m.give_up(fd)
    assert '1 unfinished draft' in weightctl('status', model).stdout
    with Mount(model) as m:
        assert '1 unfinished draft' in m.said
        assert (m.path / path).read_bytes() == before
        assert [dropped['path'] for dropped in m.status()['dropped']] == [found]
        assert m.unmount()[0] == LEFT_OVER
    assert 'draft' not in saved_by_the_next_mount(model).said


@pytest.mark.parametrize('fit', [False, True])
def test_a_draft_of_a_text_that_came_to_its_end_is_not_missed(copy_of, fit):
    model = copy_of('train/ckpt-3')
    with Mount(model) as m:
        path = m.path / 'npy/net/l1/bias.npy'
        content = path.read_bytes()[:-4] + b'\0\0\0\0'
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(fd, content if fit else b'no npy')
        with contextlib.nullcontext() if fit else fails(errno.EINVAL):
            os.close(fd)
        m.status()  # RELEASE comes by itself
        wait_until(lambda: fit or m.status()['dropped'], 'the draft is dropped')
        m.give_up()
    with Mount(model) as m:
        assert 'draft' not in m.said
        assert m.pending() == ({'variables/net/l1/bias'} if fit else set())


def test_a_draft_completed_and_synced_is_no_draft(plain):
    with Mount(plain) as m:
        fd = os.open(m.file('tiny'), os.O_WRONLY | os.O_TRUNC)
        os.write(fd, b'complete and synced.')
        os.fsync(fd)
        m.give_up(fd)
    saved_by_the_next_mount(plain)
    assert cat(plain, 'tiny') == b'complete and synced.'


def test_killed_before_any_edit_leaves_nothing(plain):
    before = snapshot(plain.parent)
    with Mount(plain) as m:
        m.file('large').read_bytes()
        m.give_up()
    assert snapshot(plain.parent) == before


def test_the_reading_commands_show_the_disk_and_tell_of_edits(plain, plain_contents):
    with Mount(plain) as m:
        edit(m.file('tiny'))
        m.give_up()
    for command in (['ls', plain], ['cat', plain, 'tiny']):
        assert 'pending' in weightctl(*command).stderr
    assert cat(plain, 'tiny') == plain_contents['tiny']
    with Mount(plain, 'ro') as m:
        assert 'pending' in m.said
        assert m.file('tiny').read_bytes() == plain_contents['tiny']
        m.unmount_read_only()
    assert saved_by_the_next_mount(plain)


def test_a_torn_journal_is_cut_at_its_last_whole_record(plain):
    with Mount(plain) as m:
        first, _ = edit(m.file('tiny')), edit(m.file('pages'))
        m.give_up()
    journal = work_folders(plain)[0] / 'journal'
    os.truncate(journal, journal.stat().st_size - 3)
    with Mount(plain) as m:
        assert m.file('tiny').read_bytes() == first
    assert cat(plain, 'tiny') == first
    assert_sound(plain)


def test_a_journal_of_an_unknown_kind_is_refused_and_kept(plain, tmp_path):
    (tmp_path / 'm').mkdir()
    with Mount(plain) as m:
        edit(m.file('tiny'))
        m.give_up()
    journal = work_folders(plain)[0] / 'journal'
    content = b'something else' + journal.read_bytes()
    journal.write_bytes(content)
    done = weightfs(plain, tmp_path / 'm')
    assert done.returncode not in (FINE, -11) and 'journal' in done.stderr
    assert journal.read_bytes() == content


def test_a_work_folder_of_somebody_else_is_not_believed(plain, tmp_path, root):
    (tmp_path / 'm').mkdir()
    with Mount(plain) as m:
        edit(m.file('tiny'))
        m.give_up()
    os.chown(work_folders(plain)[0], 1234, 1234)
    done = weightfs(plain, tmp_path / 'm')
    assert done.returncode != FINE and '1234' in done.stderr


def test_holders_of_a_dead_mount_hear_enotconn(plain):
    with Mount(plain) as m:
        fd = os.open(m.file('tiny'), os.O_RDWR)
        m.kill()
        with pytest.raises(OSError):
            os.pwrite(fd, b'x', 0)
        with fails(errno.ENOTCONN):
            os.close(fd)
        with fails(errno.ENOTCONN):
            m.file('tiny').read_bytes()


# --------------------------------------------------------------------------- at random moments

class Writer(threading.Thread):
    """Edits at random until the daemon is gone, and notes what was acknowledged.

    Of each variable `known` is what it holds for certain, and `perhaps` all that it may hold
    because of the one edit whose end nobody heard of.
    """

    def __init__(self, rng, m, known):
        super().__init__()
        self.rng, self.m, self.known = rng, m, {k: bytearray(v) for k, v in known.items()}
        self.perhaps = {}
        self.error = None

    def run(self):
        try:
            while True:
                name = self.rng.choice(EDITED)
                self.rng.choice((self.in_place, self.in_place, self.whole))(name)
        except OSError:
            pass  # the end
        except Exception as error:
            self.error = error

    def in_place(self, name):
        size = len(self.known[name])
        offset = self.rng.randrange(size)
        part = self.rng.randbytes(min(self.rng.choice((1, 10, 4096, 30_000)), size - offset))
        self.perhaps = {name: ('in place', offset, part)}
        with open(self.m.file(name), 'r+b', buffering=0) as file:
            assert os.pwrite(file.fileno(), part, offset) == len(part)
            self.known[name][offset:offset + len(part)] = part
            self.perhaps = {}

    def whole(self, name):
        content = self.rng.randbytes(len(self.known[name]))
        self.perhaps = {name: ('whole', 0, content)}
        self.m.file(name).write_bytes(content)
        self.known[name][:] = content
        self.perhaps = {}

    def fits(self, name, content):
        """True if the content is what was acknowledged, or what was about to be."""
        known = self.known[name]
        if content == known or name not in self.perhaps:
            return content == known
        how, offset, part = self.perhaps[name]
        if how == 'whole':
            return content == part
        end = offset + len(part)
        return len(content) == len(known) and content[:offset] == known[:offset] and \
            content[end:] == known[end:] and \
            all(a in (b, c) for a, b, c in zip(content[offset:end], part, known[offset:end]))


def test_killed_at_any_moment_of_writing_no_edit_is_lost(plain, plain_contents, rng):
    known = {name: plain_contents[name] for name in EDITED}
    for _ in range(ROUNDS):
        before = {name: cat(plain, name) for name in EDITED}
        with Mount(plain) as m:
            writer = Writer(rng, m, known)
            writer.start()
            time.sleep(rng.uniform(0, 0.1))
            m.kill()
            writer.join()
            m.detach()
        assert writer.error is None
        assert_sound(plain)
        assert {name: cat(plain, name) for name in EDITED} == before
        with Mount(plain) as m:
            known = {name: m.file(name).read_bytes() for name in EDITED}
            assert all(writer.fits(name, known[name]) for name in EDITED)
            if rng.random() < 0.5:
                m.give_up()
        assert_sound(plain)
    saved_by_the_next_mount(plain)
    assert {name: cat(plain, name) for name in EDITED} == known


def seconds_to_save(m):
    start = time.monotonic()
    assert m.unmount()[0] == FINE
    return time.monotonic() - start


@pytest.fixture(params=['plain', 'large'])
def committed(request):
    """A small model, which is rewritten whole, and a large one; and the variables to be edited."""
    return request.getfixturevalue(request.param), {
        'plain': ['bytes', 'pages', 'tiny'], 'large': ['block/01', 'block/02', 'block/65'],
    }[request.param]


def test_killed_at_any_moment_of_a_commit_the_model_is_the_old_or_the_new(committed, rng):
    model, names = committed
    with Mount(model) as m:
        old = [edit(m.file(name)) for name in names]
        duration = seconds_to_save(m)
    for _ in range(ROUNDS):
        with Mount(model) as m:
            new = [edit(m.file(name)) for name in names]
            with saving(m):
                time.sleep(rng.uniform(0, duration))
                m.kill()
            m.detach()
        assert_sound(model)
        assert [cat(model, name) for name in names] in (old, new)
        saved_by_the_next_mount(model)
        assert [cat(model, name) for name in names] == new
        assert_sound(model)
        assert all('index' in name or 'data' in name for name in names_in(model.parent))
        old = new


def saving(m):
    return subprocess.Popen([BUILD / 'weightfs', '-u', m.path], env=environment(),
                            stderr=subprocess.DEVNULL)


def test_killed_at_any_moment_of_a_commit_while_others_write(plain, plain_contents, rng):
    known = {name: plain_contents[name] for name in EDITED}
    for _ in range(ROUNDS):
        with Mount(plain) as m:
            writer = Writer(rng, m, known)
            writer.start()
            end = time.monotonic() + rng.uniform(0.01, 0.1)
            killer = threading.Timer(end - time.monotonic(), m.kill)
            killer.start()
            commit_until_it_dies(m)
            killer.join()
            writer.join()
            m.detach()
        assert writer.error is None
        assert_sound(plain)
        with Mount(plain) as m:
            known = {name: m.file(name).read_bytes() for name in EDITED}
            assert all(writer.fits(name, known[name]) for name in EDITED)
            if rng.random() < 0.5:
                m.give_up()
    saved_by_the_next_mount(plain)
    assert {name: cat(plain, name) for name in EDITED} == known


def commit_until_it_dies(m):
    while not m.over:
        try:
            m.commit()
        except OSError:
            time.sleep(0.001)


def test_killed_at_any_moment_of_a_recovery(plain, rng, tmp_path):
    """The next mount finishes what was begun; killed at that, the one after does."""
    mountpoint = tmp_path / 'm'
    mountpoint.mkdir()
    for _ in range(ROUNDS):
        with Mount(plain) as m:
            new = {name: edit(m.file(name)) for name in ('bytes', 'tiny')}
            with saving(m):
                time.sleep(rng.uniform(0, 0.02))
                m.kill()
            m.detach()
        for _ in range(3):
            with subprocess.Popen([BUILD / 'weightfs', '-f', plain, mountpoint],
                                  env=environment(), stderr=subprocess.DEVNULL) as daemon:
                time.sleep(rng.uniform(0, 0.02))
                daemon.kill()
            run('umount', '-lq', mountpoint)
            assert_sound(plain)
        saved_by_the_next_mount(plain)
        assert {name: cat(plain, name) for name in new} == new


def test_who_mounts_again_at_once_waits_for_the_save(plain):
    """fusermount3 returns before the daemon has saved."""
    for _ in range(5):
        with Mount(plain) as m:
            expected = edit(m.file('pages'))
            assert run('fusermount3', '-u', m.path).returncode == FINE
            m.over = True
            with Mount(plain) as again:
                assert again.file('pages').read_bytes() == expected
