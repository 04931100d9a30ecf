"""Links that lead out of a model, as the caches of model hubs are made of them: read, not written."""

import errno
import hashlib
import os
import shutil

import pytest

from mounting import BUSY, Mount, assert_sound, cat, edit, fails, snapshot, weightctl

SAID = 'is a link that leads out of the model'
WORDS = 'assets/words.txt'


@pytest.fixture
def hub(copy_of):
    """A snapshot in the cache of a hub: each file is a link to blobs/."""
    model = copy_of('vocab')
    blobs, snapshot_folder = model.parent / 'blobs', model.parent / 'snapshots/0123'
    blobs.mkdir()
    for path in [path for path in model.rglob('*') if path.is_file()]:
        blob = blobs / hashlib.sha256(path.read_bytes()).hexdigest()
        link = snapshot_folder / path.relative_to(model)
        link.parent.mkdir(parents=True, exist_ok=True)
        path.rename(blob)
        blob.chmod(0o444)
        link.symlink_to(os.path.relpath(blob, link.parent))
    shutil.rmtree(model)
    return snapshot_folder


def move_out(model, name):
    """A folder of the model goes elsewhere, and a link takes its place; where it is."""
    elsewhere = model.parent / 'elsewhere'
    (model / name).rename(elsewhere)
    (model / name).symlink_to('../elsewhere')
    return elsewhere


def test_a_model_all_of_links_is_shown(hub):
    blobs = snapshot(hub.parent.parent / 'blobs')
    with Mount(hub) as m:
        assert (m.path / WORDS).read_bytes() == (hub / WORDS).read_bytes()
        assert (m.path / WORDS).stat().st_size == (hub / WORDS).stat().st_size
        assert os.listdir(m.path / 'assets.extra') == ['labels.txt']
        assert m.said.count(SAID) == 1 and f'saved_model.pb {SAID}' in m.said
    assert_sound(hub)
    assert snapshot(hub.parent.parent / 'blobs') == blobs


def test_a_linked_folder_of_assets_is_shown(copy_of):
    model = copy_of('vocab')
    elsewhere = move_out(model, 'assets')
    (elsewhere / 'deeper').mkdir()
    (elsewhere / 'deeper/more.txt').write_text('more')
    (model / 'assets.extra/again').symlink_to('../../elsewhere/deeper')
    (model / 'assets.extra/inside').symlink_to('labels.txt')
    (model / 'assets.extra/nowhere').symlink_to('../../nothing')
    with Mount(model) as m:
        assert (m.path / WORDS).read_bytes() == (elsewhere / 'words.txt').read_bytes()
        assert (m.path / 'assets/deeper/more.txt').read_text() == 'more'
        assert sorted(os.listdir(m.path / 'assets.extra')) == ['again', 'inside', 'labels.txt']
        assert (m.path / 'assets.extra/again/more.txt').read_text() == 'more'
        assert m.said.count(SAID) == 1 and f'assets {SAID}' in m.said
        assert 'assets.extra/nowhere: not shown: No such file' in m.said


def test_what_takes_the_place_of_a_linked_asset_later_is_not_followed(copy_of):
    """Where the links lead was decided when the model was mounted."""
    model = copy_of('vocab')
    elsewhere = move_out(model, 'assets')
    with Mount(model) as m:
        (elsewhere / 'words.txt').unlink()
        (elsewhere / 'words.txt').symlink_to('/etc/passwd')
        with fails(errno.EXDEV):
            (m.path / WORDS).read_bytes()


def test_a_linked_asset_is_shown_to_whom_it_may_be_shown(copy_of):
    model = copy_of('vocab')
    elsewhere = move_out(model, 'assets')
    (elsewhere / 'words.txt').chmod(0o640)
    with Mount(model) as m:
        assert (m.path / WORDS).stat().st_mode & 0o777 == 0o440
        assert (m.path / 'assets.extra/labels.txt').stat().st_mode & 0o777 == 0o444


def all_of(folder):
    """What is read of all files, whatever leads to them."""
    return {os.path.relpath(os.path.join(parent, name), folder):
            open(os.path.join(parent, name), 'rb').read()
            for parent, _, names in os.walk(folder, followlinks=True) for name in names}


@pytest.fixture(params=['hub', 'assets', 'assets.extra', 'variables'])
def linked(request, copy_of):
    """A model with links: all its files, or a folder."""
    if request.param == 'hub':
        return request.getfixturevalue('hub')
    model = copy_of('vocab')
    move_out(model, request.param)
    return model


@pytest.mark.parametrize('option', ['backup', 'output'])
def test_a_backup_and_an_output_hold_what_links_lead_to(linked, option):
    other = linked.with_name('0123.bak' if linked.name == '0123' else 'vocab.bak')
    before = all_of(linked)
    with Mount(linked, 'backup' if option == 'backup' else f'output={other}') as m:
        old, new = m.file('scale').read_bytes(), edit(m.file('scale'))
    found = all_of(other)
    assert not any(path.is_symlink() for path in other.rglob('*'))
    assert cat(other, 'scale') == (old if option == 'backup' else new)
    assert {name: found[name] for name in found if not name.startswith('variables/')} == \
        {name: before[name] for name in before if not name.startswith('variables/')
         and (option == 'backup' or name != 'fingerprint.pb')}
    assert_sound(other)
    assert cat(linked, 'scale') == (new if option == 'backup' else old)


def test_links_to_nowhere_and_to_other_folders_stay_links_in_a_backup(copy_of):
    model = copy_of('vocab')
    elsewhere = move_out(model, 'assets')
    (elsewhere / 'folder').mkdir()
    beside = f'{model.parent}/other'
    os.mkdir(beside)
    links = {  # where they are, and what they say: in the model, in the backup
        'assets/in': ('folder', 'folder'), 'assets/out': ('../other', beside),
        'assets/round': ('.', '.'), 'assets.extra/nowhere': ('../nothing', '../nothing'),
        'assets.extra/up': ('..', '..'), 'assets.extra/out': ('../../other', beside),
        'assets.extra/absolute': (beside, beside), 'other': ('../other', beside),
        'self': ('.', '.')}
    for name, (target, _) in links.items():
        (model / name).symlink_to(target)
    with Mount(model, 'backup') as m:
        edit(m.file('scale'))
    backup = model.with_name('vocab.bak')
    assert {os.fspath(path.relative_to(backup)): os.readlink(path)
            for path in backup.rglob('*') if path.is_symlink()} == \
        {name: kept for name, (_, kept) in links.items()}


def test_what_is_saved_takes_the_place_of_links_to_files(hub):
    before = snapshot(hub.parent.parent / 'blobs')
    kept = {path: os.readlink(path) for path in hub.rglob('*') if path.is_symlink()
            if path.parent.name != 'variables' and path.name != 'fingerprint.pb'}
    with Mount(hub) as m:
        content = edit(m.file('scale'))
        m.commit()
        assert m.file('scale').read_bytes() == content
        content = edit(m.file('scale'))
    assert snapshot(hub.parent.parent / 'blobs') == before
    assert {path: os.readlink(path) for path in hub.rglob('*') if path.is_symlink()} == kept
    assert cat(hub, 'scale') == content
    assert_sound(hub)


@pytest.mark.parametrize('target', ['../elsewhere', 'weights', '/'])
def test_what_is_saved_takes_the_place_of_a_linked_folder(copy_of, target):
    model = copy_of('vocab')
    elsewhere = model / 'weights' if target == 'weights' else model.parent / 'elsewhere'
    (model / 'variables').rename(elsewhere)
    (model / 'variables').symlink_to(elsewhere if target == '/' else target)
    (elsewhere / 'notes.txt').write_text('stay here')
    elsewhere.chmod(0o750)
    before, names = snapshot(elsewhere), sorted(os.listdir(model))
    with Mount(model) as m:
        edit(m.file('embedding'))
        m.commit()
        content = edit(m.file('scale'))
    assert snapshot(elsewhere) == before
    assert not (model / 'variables').is_symlink()
    assert (model / 'variables').stat().st_mode & 0o777 == 0o750
    assert sorted(os.listdir(model / 'variables')) == ['variables.data-00000-of-00001',
                                                      'variables.index']
    assert sorted(os.listdir(model)) == [name for name in names if name != 'fingerprint.pb']
    assert cat(model, 'scale') == content
    assert_sound(model)


def test_edits_of_a_model_with_a_linked_folder_outlive_the_daemon(copy_of):
    model = copy_of('vocab')
    elsewhere = move_out(model, 'variables')
    before = snapshot(elsewhere)
    with Mount(model) as m:
        content = edit(m.file('scale'))
        m.give_up()
    assert (model / 'variables').is_symlink()
    with Mount(model) as m:
        assert m.pending() == {'variables/scale'}
    assert cat(model, 'scale') == content
    assert snapshot(elsewhere) == before


def test_a_save_into_a_linked_folder_is_locked_as_any_other(copy_of):
    model = copy_of('vocab')
    move_out(model, 'variables')
    with Mount(model) as m:
        edit(m.file('scale'))
        m.commit()
        done = weightctl('compact', model)
        assert done.returncode == BUSY and str(m.pid) in done.stderr


def test_a_large_model_of_links_is_saved_beside_what_they_lead_to(large):
    """Only what was edited is written anew: the rest is still where the link leads to."""
    blobs = large.parent / 'blobs'
    blobs.mkdir()
    for path in [path for path in large.parent.iterdir() if path.is_file()]:
        path.rename(blobs / path.name)
        path.symlink_to(f'blobs/{path.name}')
    before = snapshot(blobs)
    with Mount(large, 'backup') as m:
        old, new = m.file('block/07').read_bytes(), edit(m.file('block/07'))
    assert snapshot(blobs).keys() == before.keys()
    assert {path: found[6] for path, found in snapshot(blobs).items()} == \
        {path: found[6] for path, found in before.items()}
    assert cat(large, 'block/07') == new and cat(f'{large}.bak', 'block/07') == old
    assert_sound(large)
    assert_sound(f'{large}.bak')
