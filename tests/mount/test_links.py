"""Links that lead out of a model, as the caches of model hubs are made of them: read, not written."""

import errno
import hashlib
import os
import shutil

import pytest

from mounting import Mount, assert_sound, fails, snapshot

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
