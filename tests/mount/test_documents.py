"""What a mount says of a model besides its tensors: JSON that others can read."""

import json
import os
import re
import shutil

import pytest

from models import TARGETS, sha, signatures_in, signatures_of
from mounting import DATA, NOT_MOUNTABLE, Mount, cat, weightfs

DOCUMENTS = ('signatures', 'config.json', 'training_config.json', 'object_graph.json')


@pytest.fixture(scope='module', params=TARGETS, ids=repr)
def shown(request, tmp_path_factory):
    """A model, mounted once for all tests that only look at it."""
    target = request.param
    folder = tmp_path_factory.mktemp('documents') / target.model
    shutil.copytree(DATA / target.model, folder)
    with Mount(folder.parent / target.argument) as m:
        m.target = target
        m.json = json.loads((m.path / 'model.json').read_text())
        yield m


# --------------------------------------------------------------------------- the object graph

def test_object_graph_is_the_one_of_the_checkpoint(shown):
    truth = shown.target.checkpoint.get('graph')
    path = shown.path / 'object_graph.json'
    assert path.exists() == bool(truth)
    if not truth:
        return
    graph = json.loads(path.read_text())
    assert sha(json.dumps(graph, sort_keys=True).encode()) == truth['json']
    nodes = graph['nodes']
    attributes = [a for node in nodes for a in node.get('attributes', [])]
    assert len(nodes) == truth['nodes'] == shown.json['objects']
    assert {a['checkpointKey']: a.get('fullName', '') for a in attributes} == truth['keys']


def test_object_graph_has_a_node_on_each_line(shown):
    if not shown.target.object_based:
        return
    text = (shown.path / 'object_graph.json').read_text()
    first, *lines, last = text.splitlines()
    assert (first, last) == ('{"nodes": [', ']}')
    assert [json.loads(line.removesuffix(',')) for line in lines] == json.loads(text)['nodes']


def test_object_graph_is_no_tensor(shown):
    assert not list(shown.path.glob('variables/_CHECKPOINTABLE*'))


# -------------------------------------------------------------------------------------- Keras

def test_training_config_is_what_compile_was_given(shown):
    path = shown.path / 'training_config.json'
    expected = shown.target.truth.get('keras', {}).get('training', '')
    assert (path.read_text() if path.exists() else '') == expected


@pytest.mark.parametrize('model', ['spelled', 'spelled_215', 'spelled_212'])
def test_numbers_keep_their_spelling(copy_of, model):
    with Mount(copy_of(model)) as m:
        text = (m.path / 'config.json').read_text()
        for number in ('1.0', 'NaN', 'Infinity', '-Infinity', '1e-07', '1e+22', '-0.0',
                       '9007199254740993'):
            assert re.search(rf'[\[ ]{re.escape(number)}[],}}]', text), number
        assert '"learning_rate": 1.0' in (m.path / 'training_config.json').read_text()


def test_architecture_that_a_checkpoint_holds(shown):
    expected = shown.target.checkpoint.get('architecture')
    if not shown.target.saved_model:
        path = shown.path / 'config.json'
        assert (path.read_text() if path.exists() else None) == expected


@pytest.mark.parametrize('prefix, why', [
    ('two', 'several'), ('none', 'without its architecture')])
def test_why_a_checkpoint_has_no_architecture(copy_of, prefix, why):
    with Mount(copy_of(f'object_config/{prefix}')) as m:
        assert why in json.loads((m.path / 'model.json').read_text())['absent']['config.json']


# --------------------------------------------------------------------------------- model.json

def test_what_is_absent_is_named_and_nothing_else(shown):
    there = {name for name in DOCUMENTS if (shown.path / name).exists()}
    absent = shown.json.get('absent', {})
    assert absent.keys() == set(DOCUMENTS) - there
    assert all(absent.values())


def test_kind_is_that_of_the_program(shown):
    kind, target = shown.json['kind'], shown.target
    if 'keras' in target.truth and target.model != 'keras3' and target.saved_model:
        assert kind == 'Keras 2 SavedModel'
        assert shown.json['keras_version'] == target.truth['producer']['tf_keras']
    elif target.saved_model:
        assert kind == f'TensorFlow {2 if target.object_based else 1} SavedModel'
    else:
        assert kind == f'{"object" if target.object_based else "name"}-based checkpoint'


def test_documents_have_their_sizes_and_cannot_be_written(shown):
    for name in DOCUMENTS[1:] + ('model.json',):
        path = shown.path / name
        if path.exists():
            assert path.stat().st_size == len(path.read_bytes())
            with pytest.raises(PermissionError):
                os.close(os.open(path, os.O_WRONLY))


# --------------------------------------------------------------------------------- signatures

def test_each_of_several_metagraphs_has_its_signatures(shown):
    metagraphs = shown.target.truth.get('metagraphs', [])
    folder = shown.path / 'metagraphs'
    assert folder.exists() == (len(metagraphs) > 1)
    if not folder.exists():
        return
    expected = {','.join(sorted(g['tags'])) or 'untagged': signatures_of(g) for g in metagraphs}
    assert {path.name: signatures_in(path / 'signatures') for path in folder.iterdir()} == expected
    assert set(shown.json['metagraph_names']) == expected.keys()
    assert os.readlink(shown.path / 'signatures') == 'metagraphs/serve/signatures'
    assert signatures_in(shown.path / 'signatures') == expected['serve']


def test_weightctl_cat_goes_through_the_link(shown):
    names = os.listdir(shown.path / 'signatures') if shown.target.saved_model else []
    for name in names:
        content = (shown.path / 'signatures' / name).read_bytes()
        assert cat(shown.model, f'signatures/{name}') == content


# --------------------------------------------------------------------- what is not read, refusals

def as_text(folder):
    (folder / 'saved_model.pb').rename(folder / 'saved_model.pbtxt')


def as_huge(folder):
    os.truncate(folder / 'saved_model.pb', 3 << 30)


@pytest.mark.parametrize('spoil', [as_text, as_huge])
def test_variables_and_assets_are_shown_without_a_graph(copy_of, spoil):
    folder = copy_of('vocab')
    spoil(folder)
    with Mount(folder) as m:
        found = json.loads((m.path / 'model.json').read_text())
        assert set(os.listdir(m.path)) >= {'variables', 'assets', 'object_graph.json'}
        assert not {'signatures', 'config.json'} & set(os.listdir(m.path))
        assert m.file('scale').stat().st_size == 4
        for name in DOCUMENTS[:3]:
            assert 'saved_model.pb' in found['absent'][name]


@pytest.mark.parametrize('name, word', [
    ('saved_model.cpb', 'chunked'), ('net.keras', 'Keras 3'), ('net.h5', 'HDF5')])
def test_other_formats_are_refused_by_their_names(tmp_path, name, word):
    (tmp_path / 'm').mkdir()
    (tmp_path / name).write_bytes(b'content')
    done = weightfs(tmp_path / name, tmp_path / 'm')
    assert done.returncode == NOT_MOUNTABLE
    assert word in done.stderr and 'not supported' in done.stderr


def test_a_folder_with_a_chunked_model_alone_is_refused(tmp_path):
    (tmp_path / 'm').mkdir()
    (tmp_path / 'model').mkdir()
    (tmp_path / 'model/saved_model.cpb').write_bytes(b'content')
    done = weightfs(tmp_path / 'model', tmp_path / 'm')
    assert done.returncode == NOT_MOUNTABLE
    assert 'chunked SavedModel' in done.stderr
