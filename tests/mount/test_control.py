"""weightctl status, commit, discard, recover: of a mount, and of a model that is not mounted."""

import json
import mmap
import os

import pytest

from mounting import (BUSY, CHANGED, FINE, USAGE, Mount, assert_sound, cat, edit, snapshot,
                      wait_for_content, weightctl, weightfs, work_folders)


@pytest.fixture
def killed(plain):
    """A model with edits of a daemon that died; and what they are."""
    with Mount(plain) as m:
        contents = {name: edit(m.file(name)) for name in ('tiny', 'pages')}
        m.give_up()
    return plain, contents


def test_status_of_a_mount_is_its_status(plain):
    with Mount(plain) as m:
        edit(m.file('tiny'))
        done = weightctl('status', m.path)
        assert (done.returncode, done.stderr) == (FINE, '')
        assert json.loads(done.stdout) == m.status()


def test_status_of_a_model_names_what_is_edited(killed):
    done = weightctl('status', killed[0])
    assert done.returncode == FINE
    assert {'edited: variables/tiny', 'edited: variables/pages'} == set(done.stdout.splitlines())


def test_status_of_a_model_without_edits(plain):
    before = snapshot(plain.parent)
    done = weightctl('status', plain)
    assert (done.returncode, done.stderr) == (FINE, '') and 'no edits' in done.stdout
    assert snapshot(plain.parent) == before


def test_status_tells_of_a_draft(plain):
    with Mount(plain) as m:
        fd = os.open(m.file('tiny'), os.O_WRONLY | os.O_TRUNC)
        m.kill()
        with pytest.raises(OSError):
            os.close(fd)
        m.detach()
    assert '1 unfinished draft' in weightctl('status', plain).stdout


def test_commit_of_a_mount_saves_and_the_mount_goes_on(plain):
    with Mount(plain) as m:
        for _ in range(3):
            content = edit(m.file('tiny'))
            done = weightctl('commit', m.path)
            assert done.returncode == FINE and 'saved' in done.stdout + done.stderr
            assert cat(plain, 'tiny') == m.file('tiny').read_bytes() == content


def test_commit_of_a_mount_without_edits_touches_nothing(plain):
    before = snapshot(plain.parent)
    with Mount(plain) as m:
        assert weightctl('commit', m.path).returncode == FINE
    assert snapshot(plain.parent) == before


def test_commit_of_a_model_saves_what_a_dead_daemon_left(killed):
    model, contents = killed
    assert weightctl('commit', model).returncode == FINE
    assert {name: cat(model, name) for name in contents} == contents
    assert work_folders(model) == []
    assert_sound(model)


@pytest.mark.parametrize('command', ['commit', 'discard', 'recover'])
def test_a_model_that_is_mounted_is_busy_for_the_others(plain, command):
    with Mount(plain) as m:
        content = edit(m.file('tiny'))
        done = weightctl(command, plain)
        assert done.returncode == BUSY and str(m.pid) in done.stderr
        assert m.file('tiny').read_bytes() == content


def test_discard_of_a_mount_brings_the_saved_content_back(plain, plain_contents):
    with Mount(plain) as m:
        with open(m.file('pages'), 'rb', buffering=0) as reader, \
                mmap.mmap(reader.fileno(), 0, access=mmap.ACCESS_READ) as view:
            edit(m.file('pages'))
            edit(m.file('tiny'))
            assert view[:] != plain_contents['pages']
            assert weightctl('discard', m.path).returncode == FINE
            wait_for_content(m.file('pages'), plain_contents['pages'])
            wait_for_content(m.file('tiny'), plain_contents['tiny'])
            assert os.pread(reader.fileno(), 16384, 0) == plain_contents['pages']
            assert view[:] == plain_contents['pages']
        assert m.status()['state'] == 'clean'
        content = edit(m.file('bytes'))
    assert cat(plain, 'bytes') == content
    assert cat(plain, 'tiny') == plain_contents['tiny']


def test_discard_of_a_mount_leaves_no_trace(plain):
    before = snapshot(plain.parent)
    with Mount(plain) as m:
        edit(m.file('tiny'))
        assert weightctl('discard', m.path).returncode == FINE
        assert work_folders(plain) == []
    after = snapshot(plain.parent)
    assert {k: v for k, v in after.items() if k.name} == {k: v for k, v in before.items() if k.name}


def test_discard_of_a_model_drops_what_a_dead_daemon_left(killed, plain_contents):
    model, _ = killed
    assert weightctl('discard', model).returncode == FINE
    assert work_folders(model) == []
    with Mount(model) as m:
        assert m.said == '' and m.pending() == set()
        assert m.file('tiny').read_bytes() == plain_contents['tiny']


def test_discard_makes_way_for_a_model_that_changed_meanwhile(copy_of, tmp_path):
    model = copy_of('train/ckpt-5')
    (tmp_path / 'm').mkdir()
    with Mount(model) as m:
        edit(m.file('net/l1/kernel'))
        m.give_up()
    model.with_suffix('.index').write_bytes(model.with_name('ckpt-4.index').read_bytes())
    assert weightfs(model, tmp_path / 'm').returncode == CHANGED
    assert 'discard' in weightctl('status', model).stdout
    assert weightctl('discard', model).returncode == FINE
    with Mount(model) as m:
        assert m.pending() == set()


def test_discard_lets_a_mount_go_on_whose_model_changed(copy_of):
    model = copy_of('train/ckpt-5')
    with Mount(model) as m:
        edit(m.file('net/l1/kernel'))
        model.with_suffix('.index').write_bytes(model.with_name('ckpt-4.index').read_bytes())
        assert m.unmount()[0] == CHANGED
        assert weightctl('discard', m.path).returncode == FINE
        assert m.unmount()[0] == FINE


def test_recover_keeps_the_edits(killed, plain_contents):
    model, contents = killed
    done = weightctl('recover', model)
    assert done.returncode == FINE and '2 tensors' in done.stderr
    assert cat(model, 'tiny') == plain_contents['tiny']
    with Mount(model) as m:
        assert {name: m.file(name).read_bytes() for name in contents} == contents


def test_recover_of_a_model_without_edits_touches_nothing(plain):
    before = snapshot(plain.parent)
    assert weightctl('recover', plain).returncode == FINE
    assert snapshot(plain.parent) == before


@pytest.mark.parametrize('command', ['status', 'commit', 'discard', 'recover'])
def test_a_command_without_its_argument_is_told(command):
    done = weightctl(command)
    assert (done.returncode, done.stdout) == (USAGE, '')
    assert f'weightctl {command}' in done.stderr
