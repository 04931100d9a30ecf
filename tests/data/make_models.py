#!/usr/bin/env python3
"""Makes the test models with the real TensorFlow, and beside them what TensorFlow says is in them.

    make_models.py [--out DIR] [NAME ...]        without names: all of them

It wants TensorFlow 2.21, tf_keras and keras; run with TensorFlow 2.15 or 2.12 (and ml_dtypes), it
makes those models that want that one (OLD_MODELS). Each model is made in a process of its own, in an
empty working folder, from fixed seeds: no path gets in, and a second run gives the same bytes
(but for keras3: its `_all_variables` come in the order of their addresses in memory).

A model NAME is the folder NAME/; the truth about it is truth/NAME.json:

    model        NAME
    producer     {"tensorflow": "2.21.0", ...}
    checkpoints  {PREFIX: checkpoint}     PREFIX is relative to the folder NAME/
    latest       what the file `checkpoint` calls the latest one (only where there is that file)
    metagraphs   [{"tags": [...], "signatures": {NAME: SignatureDef as protobuf's JSON},
                   "assets": [...]}]      (only SavedModels; the file names of asset_file_def or,
                                          where that is empty, of TF1's collection)
    keras        (only Keras models)
        to_json      model.to_json() as text
        from_saved   the same text as derived from keras_metadata.pb: the form of Keras <= 2.12
                     (only tf_keras SavedModels; model_from_json() takes both and agrees)
        training     what compile() was given, as it stands there; "" if it was not called
        layers       [{"name": ..., "class": ..., "weights": [{"name": ..., "sha256": ...}]}]
                     in the order of model.layers, weights in that of get_weights()
        weights      [sha256] in the order of model.get_weights()

A checkpoint:

    count        the number of tensors, without the object graph, with the unreadable ones
    digest       sha256 of the lines "NAME \\t DTYPE \\t SHAPE \\t SHA256 \\n" (without the spaces;
                 SHAPE as "[2, 3]") of all readable tensors, sorted by the bytes of the name
    sample       true where `tensors` lists only some of them (the digest is still over all)
    tensors      [{"name", "dtype", "shape", "bytes", "sha256"}], by name; sha256 is over `bytes`
                 bytes: little-endian, row-major, a sub-byte type one byte an element with its
                 upper bits zero. A string tensor has "strings": [base64 ...], row-major, instead
                 of "bytes"; its sha256 is over 8 bytes of length (little-endian) and the content
                 of each string.
    unreadable   [{"name", "dtype", "shape", "why"}]: TensorFlow lists them but cannot read them
    graph        {"sha256", "nodes", "keys": {checkpoint_key: full_name}, "json"} of the object
                 graph (only where there is one); json is the sha256 of protobuf's JSON of it, as
                 json.dumps() prints it with sorted keys
    architecture  as from_saved, of a model whose layers say theirs in the checkpoint itself
                 (only where they do)

Names are the bundle's keys; dtype is TensorFlow's name (float32, qint8 ...).
"""

import argparse
import base64
import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import re
import shutil
import tempfile
import uuid
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='', TF_ENABLE_ONEDNN_OPTS='0')

import keras  # noqa: E402
import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from google.protobuf.json_format import MessageToDict, MessageToJson  # noqa: E402
from tensorflow.core.protobuf import fingerprint_pb2, meta_graph_pb2, saved_model_pb2  # noqa: E402
from tensorflow.core.protobuf import trackable_object_graph_pb2  # noqa: E402

OLD = '.'.join(tf.__version__.split('.')[:2]) in ('2.12', '2.15')
if OLD:  # its Keras is Keras 2
    tf_keras = keras
    from keras.protobuf import saved_metadata_pb2  # noqa: E402
else:
    import tf_keras  # noqa: E402
    from tf_keras.protobuf import saved_metadata_pb2  # noqa: E402

GRAPH_KEY = '_CHECKPOINTABLE_OBJECT_GRAPH'
SUB_BYTE = {'int4': 0x0f, 'uint4': 0x0f, 'int2': 0x03, 'uint2': 0x03, 'float4_e2m1fn': 0x0f}
v1 = tf.compat.v1


# ---------------------------------------------------------------------------------------- models
# Each makes the folder of its own name in the working folder; a Keras one returns the model.

def mlp():
    """A whole Keras model, trained: weights, optimizer, metrics, config, one signature."""
    net = three_layers()
    net.save('mlp', save_format='tf')
    return net


def mlp_weights():
    """The same model by save_weights(): no saved_model.pb, but a file `checkpoint`."""
    net = three_layers()
    net.save_weights('mlp_weights/mlp', save_format='tf')
    return net


def three_layers():
    digits = tf_keras.Input((784,), name='digits')
    hidden = tf_keras.layers.Dense(64, activation='relu', name='dense_1')(digits)
    hidden = tf_keras.layers.Dense(64, activation='relu', name='dense_2')(hidden)
    output = tf_keras.layers.Dense(10, activation='softmax', name='predictions')(hidden)
    net = tf_keras.Model(digits, output, name='3_layer_mlp')
    net.compile('adam', 'sparse_categorical_crossentropy', ['accuracy'])
    rng = np.random.default_rng(1)
    net.fit(rng.random((64, 784), 'f'), rng.integers(0, 10, 64), batch_size=16, verbose=0)
    return net


def train():
    """A CheckpointManager's folder; the optimizer's slots are a list (TF >= 2.11)."""
    keep_checkpoints('train', tf_keras.optimizers.Adam(0.1))


def train_slots():
    """The same with the old kind of optimizer: its slots hang below each variable."""
    keep_checkpoints('train_slots', tf_keras.optimizers.legacy.Adam(0.1))


class Net(tf_keras.Model):
    def __init__(self):
        super().__init__()
        self.l1 = tf_keras.layers.Dense(5)

    def call(self, x):
        return self.l1(x)


def keep_checkpoints(folder, optimizer):
    net, step = Net(), tf.Variable(1, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(step=step, optimizer=optimizer, net=net)
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=3)
    x = tf.reshape(tf.range(10.), (10, 1))
    for _ in range(5):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(net(x) - x * tf.range(5.)))
        optimizer.apply_gradients(zip(tape.gradient(loss, net.trainable_variables),
                                      net.trainable_variables))
        step.assign_add(10)
        manager.save()


def vocab():
    """A tf.Module with a vocabulary for an asset, an extra asset, two signatures."""
    Path('words.txt').write_text('the\nquick\nbrown\nfox\njumps\n')

    class Vocab(tf.Module):
        def __init__(self):
            super().__init__()
            init = tf.lookup.TextFileInitializer(
                'words.txt', tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER)
            self.table = tf.lookup.StaticVocabularyTable(init, num_oov_buckets=2)
            self.embedding = tf.Variable(tf.reshape(tf.range(21.), (7, 3)), name='embedding')
            self.scale = tf.Variable(0.5, name='scale')

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, 'words')])
        def embed(self, words):
            ids = self.table.lookup(words)
            return {'ids': ids, 'vectors': tf.gather(self.embedding, ids) * self.scale}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, 'ids'),
                                      tf.TensorSpec([], tf.float32, 'weight')])
        def score(self, ids, weight):
            return {'score': tf.reduce_sum(tf.gather(self.embedding, ids), axis=1) * weight}

    model = Vocab()
    tf.saved_model.save(model, 'vocab',
                        signatures={'serving_default': model.embed, 'score': model.score})
    Path('vocab/assets.extra').mkdir()
    Path('vocab/assets.extra/labels.txt').write_text('one\ntwo\nthree\n')


def many():
    """5,000 small tensors whose index takes several blocks; data order is not key order."""
    order = list(range(5000))
    random.shuffle(order)
    tail = 'transformer/encoder/stack_of_layers/multi_head_attention/relative_position_bias/lookup'
    tensors = {}
    for i in order:
        dtype = ('float32', 'int8', 'int64', 'float16')[i % 4]
        shape = ((), (3,), (2, 1), (1, 2, 3))[i // 4 % 4]
        values = (np.arange(np.prod(shape, dtype=int)) + i) % 100
        tensors[f'tower_{i:04d}/expert_{i * 7919 % 1000:03d}/{tail}'] = \
            values.reshape(shape).astype(dtype)
    save('many/many', tensors)


def dtypes():
    """Every dtype of a fixed size that TensorFlow can save, ranks 0 to 5, strings."""
    tensors = {}
    for dtype in NUMBERS:
        tensors[f'{dtype}/matrix'] = numbers(dtype).reshape(2, 3)
        tensors[f'{dtype}/scalar'] = numbers(dtype)[1]
        tensors[f'{dtype}/empty'] = numbers(dtype)[:0].reshape(0, 4)
    for dtype in QUANTIZED:
        tensors[f'{dtype}/matrix'] = tf.bitcast(numbers(dtype[1:]).reshape(2, 3), dtype)
        tensors[f'{dtype}/scalar'] = tf.bitcast(numbers(dtype[1:])[1], dtype)
        tensors[f'{dtype}/empty'] = tf.bitcast(numbers(dtype[1:])[:0].reshape(0, 4), dtype)
    for rank in range(6):
        shape = (2, 1, 3, 2, 2)[:rank]
        tensors[f'rank/{rank}'] = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype('f')
    tensors['string/hi'] = tf.constant(b'hi')
    tensors['string/nothing'] = tf.constant(b'')
    tensors['string/binary'] = tf.constant(b'\x00\xff\xfe half \x80 way\x00')
    tensors['string/vector'] = tf.constant([b'ab', b'', 'größe 重み'.encode(), b'"\\\n\t'])
    tensors['string/matrix'] = tf.constant([[b'a', b'bc'], [b'\x00', b'\xc3\x28']])
    tensors['string/one'] = tf.constant([[[b'alone']]])
    tensors['string/long'] = tf.constant([b'x' * 127, b'y' * 128, b'z' * 20000])
    tensors['string/empty'] = tf.zeros((0, 2), tf.string)
    save('dtypes/dtypes', tensors)


QUANTIZED = ('qint8', 'quint8', 'qint16', 'quint16', 'qint32')
NUMBERS = (
    'bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64',
    'float16', 'float32', 'float64', 'complex64', 'complex128', 'bfloat16',
    'float8_e5m2', 'float8_e4m3fn', 'float8_e4m3fnuz', 'float8_e4m3b11fnuz', 'float8_e5m2fnuz',
    'float4_e2m1fn', 'int4', 'uint4', 'int2', 'uint2')


def numbers(dtype):
    """Six telling values: the extremes, zeros, infinities, a NaN."""
    if dtype == 'bool':
        return np.array([True, False, False, True, True, False])
    if dtype.startswith('complex'):
        return np.array([1 + 2j, -3j, 0, 4, -0.5 + 1e-3j, np.inf], dtype)
    if dtype == 'bfloat16' or re.match('float[48]', dtype):
        return np.array([1.5, -2, 0, 0.5, 6, -0.5]).astype(getattr(ml_dtypes, dtype))
    if dtype.startswith('float'):
        return np.array([1.5, -2, 0.0, -0.0, np.inf, np.nan], dtype)
    real = getattr(ml_dtypes, dtype, dtype)
    low, high = int(ml_dtypes.iinfo(real).min), int(ml_dtypes.iinfo(real).max)
    return np.array([low, high, 0, 1, low // 2, high // 2], object).astype(real)


def names():
    """Names that no file system likes, one float each: the number of the name in this list."""
    odd = [
        'w', 'w/Adam', 'w/Adam/deep', 'w.d', 'w.d/x', 'w.slots', 'w.attrs/y', 'w.npy', 'w.npy/z',
        '%', '100%', 'a%2Fb', '%00', '%25', '%.', 'tail%', 'tail%+', 'tail%+/more', '%2E', 'w%2Ed',
        '.', '..', 'up/../down', 'same/./place', '...', '.hidden', 'a//b', 'a///c', '/abs', '//',
        'slash/', 'new\nline', 'tab\there', 'carriage\rreturn', 'back\\slash', 'bell\a', 'nul\0in',
        'größe/重み', 'caf\u00e9', 'cafe\u0301', 'space in it', ' ', '-rf', '*', '$(x)', '"', "'",
        'colon:0', 'w~', '.w.swp', '#w#', 'w.tmp', 'w.bak', '4913', 'names', '.weightfs/status',
        'net/.ATTRIBUTES/VARIABLE_VALUE', 'net/.OPTIMIZER_SLOT/opt/m', 'net.slots/opt/m',
        'long/' + 'c' * 240, 'long/' + 'd' * 241, 'long/' + 'e' * 300 + '/kernel', 'f' * 1000,
        'long/' + 'ü' * 200,
    ]
    save('names/names', {name: np.float32(i) for i, name in enumerate(odd)})


def deep():
    """Names whose paths are too long or too deep to be shown, beside two that just fit."""
    save('deep/deep', {
        'fits': np.float32(1),
        'a/' * 239 + 'fits': np.float32(2),
        'b/' * 300 + 'too_deep': np.float32(3),
        '/'.join(['c' * 200] * 25): np.float32(4),
    })


def sliced():
    """Partitioned variables: by rows, by columns, in a grid; and one that is not."""
    rows, cols = grid((7, 2), 'float32'), grid((3, 8), 'int64')
    both, half = grid((4, 6), 'float64'), grid((4, 2), 'float16')
    long, cube = grid((200, 1), 'int32'), grid((4, 3, 2), 'uint8')
    save_slices('sliced/sliced', [
        ('rows', '7 2 0,3:0,2', rows[:3]), ('rows', '7 2 3,4:0,2', rows[3:]),
        ('cols', '3 8 -:5,3', cols[:, 5:]), ('plain', '', grid((2, 2), 'float32')),
        ('cols', '3 8 -:0,1', cols[:, :1]), ('cols', '3 8 -:1,4', cols[:, 1:5]),
        ('grid', '4 6 0,1:0,4', both[:1, :4]), ('grid', '4 6 1,3:0,4', both[1:, :4]),
        ('grid', '4 6 0,1:4,2', both[:1, 4:]), ('grid', '4 6 1,3:4,2', both[1:, 4:]),
        ('half', '4 2 0,2:-', half[:2]), ('half', '4 2 2,2:-', half[2:]),
        ('far/long', '200 1 0,100:-', long[:100]), ('far/long', '200 1 100,100:-', long[100:]),
        ('cube', '4 3 2 -:0,2:-', cube[:, :2]), ('cube', '4 3 2 -:2,1:-', cube[:, 2:]),
        ('whole', '2 2 -:-', grid((2, 2), 'int16')),
    ])


def grid(shape, dtype):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def sharded():
    """A checkpoint of three shards, merged as a TF2 program does; one variable spans two."""
    table = grid((6, 2), 'float32')
    parts = [[('a/kernel', '', grid((2, 3), 'float32')), ('table', '6 2 0,3:-', table[:3])],
             [('b/kernel', '', grid((3,), 'int32')), ('table', '6 2 3,3:-', table[3:])],
             [('c/label', '', np.array([b'left', b'right'])), ('step', '', np.int64(7))]]
    prefixes = [f'parts_temp/part-{i:05d}-of-00003' for i in range(len(parts))]
    for prefix, part in zip(prefixes, parts):
        save_slices(prefix, part)
    os.mkdir('sharded')
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=prefixes,
                                  destination_prefix='sharded/sharded')


def tf1():
    """A SavedModel of TF1: no object graph, keys are names, an asset, Adam's slots."""
    Path('classes.txt').write_text('cat\ndog\n')
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], 'x')
        w = v1.get_variable('w', initializer=grid((3, 2), 'float32'), use_resource=False)
        b = v1.get_variable('layer/b', initializer=np.array([1, -1], 'f'), use_resource=True)
        y = tf.add(tf.matmul(x, w), b, name='y')
        step = v1.train.get_or_create_global_step()
        learn = v1.train.AdamOptimizer(0.1).minimize(tf.reduce_mean(y), step)
        asset = tf.constant('classes.txt', name='asset_path')
        table = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(
            asset, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
            tf.string, tf.lookup.TextFileIndex.WHOLE_LINE), 'unknown')
        label = table.lookup(tf.argmax(y, axis=1))
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        session.run(learn, {x: np.ones((1, 3), 'f')})
        signature = v1.saved_model.predict_signature_def({'x': x}, {'y': y, 'label': label})
        builder = v1.saved_model.Builder('tf1')
        builder.add_meta_graph_and_variables(
            session, ['serve'], {'serving_default': signature},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer())
        builder.save()


def keras3():
    """A Keras 3 model by export(): keys are numbers, there is no keras_metadata.pb."""
    keras.utils.set_random_seed(3)
    net = keras.Sequential([
        keras.Input((4,), name='features'),
        keras.layers.Dense(3, activation='relu', name='first'),
        keras.layers.BatchNormalization(name='norm'),
        keras.layers.Dropout(0.5, seed=1, name='drop'),
        keras.layers.Dense(2, name='last')], name='small')
    net.export('keras3', verbose=False)
    return net


def multi():
    """A SavedModel with two MetaGraphDefs over the same variables."""
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], 'x')
        w = v1.get_variable('w', initializer=grid((2, 2), 'float32'))
        y = tf.matmul(x, w, name='y')
        loss = tf.reduce_sum(y, name='loss')
        session.run(v1.global_variables_initializer())
        predict = v1.saved_model.predict_signature_def
        builder = v1.saved_model.Builder('multi')
        builder.add_meta_graph_and_variables(
            session, ['train'], {'train': predict({'x': x}, {'loss': loss})})
        builder.add_meta_graph(['serve'], {'serving_default': predict({'x': x}, {'y': y}),
                                           'both': predict({'x': x}, {'y': y, 'loss': loss})})
        builder.save()


def novars():
    """A SavedModel without any variable."""
    module = tf.Module()
    module.double = tf.function(lambda x: {'doubled': x * 2},
                                input_signature=[tf.TensorSpec([None, 2], tf.float32, 'x')])
    tf.saved_model.save(module, 'novars', signatures=module.double)


def novars_tf1():
    """The same of TF1: not even a folder variables/."""
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], 'x')
        y = tf.multiply(x, 2, name='y')
        v1.saved_model.simple_save(session, 'novars_tf1', {'x': x}, {'y': y})


def estimator():
    """What an Estimator leaves behind, later moved elsewhere: `checkpoint` names a dead place."""
    with v1.Graph().as_default() as graph, v1.Session() as session:
        w = v1.get_variable('dense/kernel', initializer=grid((2, 2), 'float32'))
        b = v1.get_variable('dense/bias', initializer=np.zeros(2, 'f'))
        step = v1.train.get_or_create_global_step()
        optimizer = v1.train.AdamOptimizer(0.1)
        learn = optimizer.minimize(tf.reduce_sum(w * w + b), step)
        saver = v1.train.Saver(max_to_keep=2, save_relative_paths=True)
        session.run(v1.global_variables_initializer())
        os.mkdir('estimator')
        for _ in range(3):
            saver.save(session, 'estimator/model.ckpt', step)
            for _ in range(10):
                session.run(learn)
        tf.io.write_graph(graph, 'estimator', 'graph.pbtxt')
    state = Path('estimator/checkpoint')
    state.write_text(state.read_text().replace('"model.ckpt', '"/old/place/model.ckpt'))


def v1_files():
    """V1 checkpoints, by the operation that Saver(write_version=V1) runs: a file, two shards."""
    parts = grid((7, 2), 'float32')
    one = [(f'all/{dtype}', '', numbers(dtype)[:4]) for dtype in (
        'float32', 'float64', 'int32', 'uint8', 'int16', 'int8', 'int64', 'bool', 'complex64',
        'complex128', 'float16', 'uint16')]
    one += [(f'all/{dtype}', '', tf.bitcast(numbers(dtype[1:])[:4], dtype)) for dtype in
            ('qint8', 'quint8', 'qint32')]
    one += [('scalar', '', np.float32(0.5)), ('empty', '', np.zeros((0, 2), 'f')),
            ('text', '', np.array([b'ab', b'', b'\x00\xff'])), ('matrix', '', grid((2, 3), 'f')),
            ('rows', '7 2 0,3:-', parts[:3]), ('rows', '7 2 3,4:-', parts[3:])]
    save_slices('v1/v1.ckpt', one, tf.raw_ops.SaveSlices)
    left = [('left', '', grid((2, 2), 'float32')), ('rows', '7 2 3,4:-', parts[3:])]
    right = [('right', '', grid((3,), 'int64')), ('rows', '7 2 0,3:-', parts[:3])]
    save_slices('v1/sharded-00000-of-00002', left, tf.raw_ops.SaveSlices)
    save_slices('v1/sharded-00001-of-00002', right, tf.raw_ops.SaveSlices)


def tables():
    """What else hangs in an object graph: tables, Python state, an iterator, lists, dicts."""
    class Notes(tf.train.experimental.PythonState):
        def serialize(self):
            return json.dumps({'epoch': 3, 'note': 'größe'})

        def deserialize(self, value):
            pass

    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    table.insert(tf.constant(['b', 'a', 'c']), tf.constant([2, 1, 3], tf.int64))
    dense = tf.lookup.experimental.DenseHashTable(
        tf.int64, tf.float32, 0., -1, -2, initial_num_buckets=4)
    dense.insert(tf.constant([7], tf.int64), tf.constant([0.5]))
    iterator = iter(tf.data.Dataset.range(10))
    next(iterator)
    shared = tf.Variable([1., 2.], name='shared')
    tf.train.Checkpoint(
        table=table, dense=dense, notes=Notes(), iterator=iterator, shared=shared, again=shared,
        list=[tf.Variable(1.), [tf.Variable([2, 3])], shared],
        dict={'x': tf.Variable(True), 'größe': tf.Variable('text', name='t'),
              'nested': {'y': tf.Variable(4.)}},
        **{'a.b': tf.Variable(5.), 'c/d': tf.Variable(6.), '.S': tf.Variable(7.),
           'e../f.': {'/': tf.Variable(8.)}},
    ).save('tables/tables')


def nested():
    """A Keras model within a model, a shared layer, BatchNormalization, LSTM, Bidirectional."""
    layers = tf_keras.layers
    pixel = tf_keras.Input((3,), name='pixel')
    encoded = layers.BatchNormalization(name='norm')(layers.Dense(4, name='inner')(pixel))
    encoder = tf_keras.Model(pixel, encoded, name='encoder')
    steps, other = tf_keras.Input((5, 3), name='steps'), tf_keras.Input((3,), name='other')
    shared = layers.Dense(3, activation='tanh', name='shared')
    hidden = layers.TimeDistributed(encoder, name='each')(shared(steps))
    both = layers.Bidirectional(layers.LSTM(2, name='lstm_a'), name='both')(hidden)
    last = layers.LSTM(2, name='lstm_b')(shared(steps))
    joined = layers.Concatenate(name='join')([both, last, encoder(shared(other))])
    output = layers.Dense(1, name='head', trainable=False)(joined)
    net = tf_keras.Model([steps, other], [output, joined], name='nested')
    net.compile(tf_keras.optimizers.legacy.SGD(0.01, momentum=0.9), 'mse')
    net.fit([np.ones((4, 5, 3)), np.ones((4, 3))], [np.ones((4, 1)), np.ones((4, 10))], verbose=0)

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, 'pixel')])
    def encode(pixels):
        return {'code': encoder(pixels)}

    # Without the traces: the functions of two LSTMs are 2 MB.
    net.save('nested', save_format='tf', save_traces=False,
             signatures={'serving_default': encode})
    return net


def spelled(folder='spelled'):
    """A Keras model whose config has numbers that a careless reader spells otherwise."""
    layers = tf_keras.layers
    x = tf_keras.Input((4,), name='x')
    y = layers.Rescaling(1.0, offset=float('nan'), name='nan')(x)
    y = layers.Rescaling(float('inf'), offset=float('-inf'), name='infinite')(y)
    y = layers.Rescaling([1e-07, 1e+22, 0.1, -0.0], name='list')(y)
    y = layers.Dropout(0.0, seed=9007199254740993, name='seed')(y)
    y = layers.Reshape((2, 2), name='tuple')(y)
    y = layers.Dense(3, 'relu', name='dense', kernel_regularizer=tf_keras.regularizers.L2(1.0),
                     kernel_initializer=tf_keras.initializers.RandomUniform(-1e-07, 2.0))(y)
    net = tf_keras.Model(x, layers.Flatten(name='flat')(y), name='größe "x"')
    net.compile(tf_keras.optimizers.SGD(1.0), 'mse', ['mae'])
    save_small(net, folder)
    return net


def spelled_215():
    """The same by TensorFlow 2.15, with Keras 2.15."""
    return spelled('spelled_215')


def spelled_212():
    """The same by TensorFlow 2.12, the last one whose to_json() is what config.json is."""
    net = spelled('spelled_212')
    assert net.to_json() == json_of_metadata(json.loads(metadata_in(Path('spelled_212'))))
    return net


def plain_212():
    return plain('plain_212')


def plain_215():
    return plain('plain_215')


def plain(folder):
    """One of each kind of layer that has a config of its own, not compiled, by an older Keras."""
    layers = tf_keras.layers
    net = tf_keras.Sequential([
        tf_keras.Input((8, 8, 3), name='image'),
        layers.Conv2D(2, 3, activation='relu', name='conv'), layers.MaxPool2D(name='pool'),
        layers.BatchNormalization(name='norm'), layers.Reshape((9, 2), name='steps'),
        layers.Bidirectional(layers.GRU(2), name='both'), layers.Dense(1, name='head'),
    ], name='plain')
    save_small(net, folder)
    return net


def save_small(net, folder):
    """Without its own functions, which take hundreds of KB."""
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, 'x')])
    def same(x):
        return {'y': x}
    net.save(folder, save_format='tf', save_traces=False, signatures={'serving_default': same})


def old_keras():
    """A model as Keras saved it before TensorFlow 2.5: its metadata is in saved_model.pb."""
    net = tf_keras.Sequential([tf_keras.Input((2,)), tf_keras.layers.Dense(3, name='only')],
                              name='old')
    net.compile('sgd', 'mse')
    save_small(net, 'old_keras')
    shutil.copy('old_keras/keras_metadata.pb', 'metadata')
    model = saved_model_pb2.SavedModel.FromString(Path('old_keras/saved_model.pb').read_bytes())
    nodes = model.meta_graphs[0].object_graph_def.nodes
    for node in saved_metadata_pb2.SavedMetadata.FromString(Path('metadata').read_bytes()).nodes:
        nodes[node.node_id].user_object.identifier = node.identifier
        nodes[node.node_id].user_object.metadata = node.metadata
    Path('old_keras/saved_model.pb').write_bytes(model.SerializeToString(deterministic=True))
    os.remove('old_keras/keras_metadata.pb')
    again = tf_keras.models.load_model('old_keras')
    assert again.to_json() == net.to_json()
    return net


def tags():
    """Three MetaGraphDefs, one with two tags, of which the last is the one that is served."""
    builder = v1.saved_model.Builder('tags')
    for number, tags in enumerate((['serve', 'gpu'], [], ['serve'])):
        with v1.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None], 'x')
            v1.get_variable('v', initializer=1.0)
            y = tf.multiply(x, float(number), name='y')
            session.run(v1.global_variables_initializer())
            signature = v1.saved_model.predict_signature_def({'x': x}, {f'y{number}': y})
            if number:
                builder.add_meta_graph(tags, {'a/b': signature, 'times': signature})
            else:
                builder.add_meta_graph_and_variables(session, tags, {'times': signature})
    builder.save()


class Configured(tf.Module):
    """An object that has an architecture in its checkpoint, as TensorFlow 2.0 stored it."""

    def __init__(self, config, **children):
        super().__init__()
        self.config = config
        for name, child in children.items():
            setattr(self, name, child)

    def _serialize_to_tensors(self):
        return {'OBJECT_CONFIG_JSON': tf.constant(self.config)}

    def _restore_from_tensors(self, tensors):
        pass


def object_config():
    """Weights alone, with architectures: of the root, of its child, of two children, of none."""
    layer = Configured(json.dumps({'class_name': 'Dense', 'config': {'units': 1}}),
                       kernel=tf.Variable([[1.0]], name='dense/kernel'))
    inner = tf_keras.Sequential([tf_keras.Input((1,)), tf_keras.layers.Dense(1, name='dense')])
    config = json.dumps({'class_name': 'Sequential', 'config': inner.get_config()}, sort_keys=True)
    model = Configured(config, layer=layer)
    save = tf.train.Checkpoint
    os.mkdir('object_config')
    save(root=model).write('object_config/root')
    save(model=model, step=tf.Variable(1)).write('object_config/child')
    save(model=model, other=Configured(config)).write('object_config/two')
    save(root=Configured('', model=model)).write('object_config/none')


MODELS = {f.__name__: f for f in (
    mlp, mlp_weights, train, train_slots, vocab, many, dtypes, names, deep, sliced, sharded, tf1,
    keras3, multi, novars, novars_tf1, estimator, v1_files, tables, nested, spelled, old_keras,
    tags, object_config)}
MODELS['v1'] = MODELS.pop('v1_files')
OLD_MODELS = {f.__name__: f for f in (spelled_212, plain_212, spelled_215, plain_215)}
if OLD:
    MODELS = {name: f for name, f in OLD_MODELS.items()
              if name.endswith(tf.__version__[:4].replace('.', ''))}


# --------------------------------------------------------------------------------- model helpers

def save(prefix, tensors):
    save_slices(prefix, [(name, '', value) for name, value in tensors.items()])


def save_slices(prefix, parts, operation=None):
    """parts: (name, slice as "SHAPE EXTENTS" or "", value)"""
    os.makedirs(os.path.dirname(prefix), exist_ok=True)
    names, slices, values = zip(*parts)
    values = [tf.convert_to_tensor(value) for value in values]
    if operation is tf.raw_ops.SaveSlices:
        operation(filename=prefix, tensor_names=names, shapes_and_slices=slices, data=values)
    else:
        tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=slices,
                          tensors=values)


def tidy(folder):
    """Takes out what differs from run to run, and the folders that git would not keep."""
    for state in folder.glob('**/checkpoint'):
        times = iter(range(1700000000, 1800000000))
        state.write_text(re.sub(r'(timestamps?: )\S+', lambda m: f'{m[1]}{next(times)}.5',
                                state.read_text()))
    for path in folder.glob('**/fingerprint.pb'):
        message = fingerprint_pb2.FingerprintDef.FromString(path.read_bytes())
        message.DiscardUnknownFields()
        if 'uuid' in message.DESCRIPTOR.fields_by_name:
            message.uuid = '1'
        path.write_bytes(message.SerializeToString(deterministic=True))
    for path in sorted(folder.glob('**/'), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()


# ----------------------------------------------------------------------------------------- truth

def truth(name, net):
    folder = Path(name)
    found = {'model': name,
             'producer': {'tensorflow': tf.__version__, 'tf_keras': tf_keras.__version__,
                          'keras': keras.__version__},
             'checkpoints': {prefix: checkpoint_truth(name, prefix)
                             for prefix in prefixes_in(folder)}}
    if (folder / 'checkpoint').exists():
        state = (folder / 'checkpoint').read_text()
        found['latest'] = re.search(r'^model_checkpoint_path: "(.*)"', state)[1]
    if (folder / 'saved_model.pb').exists():
        found['metagraphs'] = metagraph_truth(folder / 'saved_model.pb')
    if net is not None:
        found['keras'] = keras_truth(net, metadata_in(folder))
    return found


def metadata_in(folder):
    """What Keras says of the model as a whole, or None."""
    if not (folder / 'saved_model.pb').exists():
        return None
    if (folder / 'keras_metadata.pb').exists():
        content = (folder / 'keras_metadata.pb').read_bytes()
        nodes = saved_metadata_pb2.SavedMetadata.FromString(content).nodes
        return next(n.metadata for n in nodes if n.node_path == 'root')
    model = saved_model_pb2.SavedModel.FromString((folder / 'saved_model.pb').read_bytes())
    return model.meta_graphs[0].object_graph_def.nodes[0].user_object.metadata


def prefixes_in(folder):
    found = [str(p.relative_to(folder).with_suffix('')) for p in folder.glob('**/*.index')]
    if not found:  # a V1 checkpoint is a file, or a pattern of shards
        found = sorted({re.sub(r'-\d{5}-of-', '-?????-of-', p.name)
                        for p in folder.iterdir() if p.name[-3:] != '.pb'})
    return sorted(found)


def checkpoint_truth(model, prefix):
    if prefix == 'variables':  # a SavedModel without variables
        return None
    path = f'{model}/{prefix}'
    reader = tf.train.load_checkpoint(path)
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    readable, unreadable, graph = [], [], None
    for name in sorted(shapes, key=str.encode):
        entry = {'name': name, 'dtype': types[name].name, 'shape': shapes[name]}
        try:
            value = read_tensor(reader, path, name, types[name])
        except Exception as error:
            unreadable.append({**entry, 'why': str(error).split('\n')[0]})
            continue
        if name == GRAPH_KEY:
            graph = graph_truth(value)
        else:
            readable.append({**entry, **value_truth(value, entry['dtype'])})
    lines = ''.join(f"{t['name']}\t{t['dtype']}\t{t['shape']}\t{t['sha256']}\n" for t in readable)
    found = {'count': len(readable) + len(unreadable),
             'digest': hashlib.sha256(lines.encode()).hexdigest()}
    if len(readable) > 1000:
        found['sample'], readable = True, readable[::100]
    found.update(tensors=readable, unreadable=unreadable)
    if graph:
        found['graph'] = graph
    config = [key for key in ('/.ATTRIBUTES/OBJECT_CONFIG_JSON',
                              'model/.ATTRIBUTES/OBJECT_CONFIG_JSON') if key in shapes]
    if config and prefix in ('root', 'child'):
        found['architecture'] = json.dumps(unwrap(json.loads(reader.get_tensor(config[0]))))
    return found


def read_tensor(reader, path, name, dtype):
    """The reader first; what it will not give, the operation may."""
    try:
        return reader.get_tensor(name)
    except Exception:
        return tf.raw_ops.RestoreV2(prefix=path, tensor_names=[name], shape_and_slices=[''],
                                    dtypes=[dtype])[0].numpy()


def value_truth(value, dtype):
    if dtype == 'string':
        strings = [bytes(s) for s in np.asarray(value, object).ravel()]
        content = b''.join(len(s).to_bytes(8, 'little') + s for s in strings)
        return {'strings': [base64.b64encode(s).decode() for s in strings], 'sha256': sha(content)}
    content = np.asarray(value).tobytes()
    if dtype in SUB_BYTE:
        content = bytes(byte & SUB_BYTE[dtype] for byte in content)
    return {'bytes': len(content), 'sha256': sha(content)}


def sha(content):
    return hashlib.sha256(content).hexdigest()


def graph_truth(content):
    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(content)
    return {'sha256': sha(content), 'nodes': len(graph.nodes),
            'keys': {a.checkpoint_key: a.full_name for n in graph.nodes for a in n.attributes},
            'json': sha(json.dumps(MessageToDict(graph), sort_keys=True).encode())}


def metagraph_truth(path):
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    return [{'tags': list(graph.meta_info_def.tags),
             'signatures': {name: json.loads(MessageToJson(signature, sort_keys=True))
                            for name, signature in sorted(graph.signature_def.items())},
             'assets': [asset.filename for asset in assets_of(graph)]}
            for graph in model.meta_graphs]


def assets_of(graph):
    if graph.asset_file_def:
        return graph.asset_file_def
    return [meta_graph_pb2.AssetFileDef.FromString(packed.value)
            for packed in graph.collection_def['saved_model_assets'].any_list.value]


def keras_truth(net, metadata):
    found = {'to_json': net.to_json()}
    if metadata:
        found['from_saved'] = json_of_metadata(json.loads(metadata))
        found['training'] = text_of(json.loads(metadata).get('training_config'))
        ours = tf_keras.models.model_from_json(found['from_saved'])
        keras_own = tf_keras.models.model_from_json(found['to_json'])
        assert ours.to_json() == found['to_json']
        assert shapes_of(ours) == shapes_of(keras_own)
    found['layers'] = [
        {'name': layer.name, 'class': type(layer).__name__,
         'weights': [{'name': getattr(weight, 'path', weight.name).removesuffix(':0'),
                      'sha256': sha(value.tobytes())}
                     for weight, value in zip(layer.weights, layer.get_weights())]}
        for layer in net.layers]
    found['weights'] = [sha(value.tobytes()) for value in net.get_weights()]
    return found


def shapes_of(net):
    return [weight.shape for weight in net.get_weights()]


def text_of(value):
    return '' if value is None else json.dumps(value)


def json_of_metadata(root):
    config = {'class_name': root['model_config']['class_name'],
              'config': unwrap(root['model_config']['config']),
              'keras_version': root['keras_version'], 'backend': root['backend']}
    return json.dumps(config)


def unwrap(value):
    if isinstance(value, list):
        return [unwrap(v) for v in value]
    if not isinstance(value, dict):
        return value
    if value.get('class_name') in ('__tuple__', 'TensorShape') and 'items' in value:
        return unwrap(value['items'])
    return {k: unwrap(v) for k, v in value.items() if k != 'shared_object_id'}


def pretty(value, indent='\n'):
    """JSON with one line for what fits on one."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= 200 or not isinstance(value, (dict, list)):
        return text
    if isinstance(value, list):
        items, ends = [pretty(v, indent + ' ') for v in value], '[]'
    else:
        items, ends = [json.dumps(k, ensure_ascii=False) + ': ' + pretty(v, indent + ' ')
                       for k, v in value.items()], '{}'
    return ends[0] + ','.join(indent + ' ' + item for item in items) + indent + ends[1]


# ------------------------------------------------------------------------------------------ main

def build(name, out):
    """In a process of its own: the model and its truth, into the folder `out`."""
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        tf_keras.utils.set_random_seed(1)
        tf.config.experimental.enable_op_determinism()
        uuid.uuid4 = lambda: uuid.UUID(int=random.getrandbits(128), version=4)
        net = MODELS[name]()
        tidy(Path(name))
        (out / 'truth').mkdir(parents=True, exist_ok=True)
        (out / 'truth' / f'{name}.json').write_text(pretty(truth(name, net)) + '\n')
        shutil.rmtree(out / name, ignore_errors=True)
        shutil.copytree(name, out / name)
        os.chdir('/')


def main():
    parser = argparse.ArgumentParser(description='Makes the test models with TensorFlow.')
    parser.add_argument('--out', type=Path, default=Path(__file__).parent, metavar='DIR')
    parser.add_argument('names', nargs='*', metavar='NAME', help=' '.join(MODELS))
    args = parser.parse_args()
    unknown = set(args.names) - set(MODELS)
    if unknown:
        parser.error(f'no such model: {" ".join(sorted(unknown))}')
    failed = []
    for name in args.names or MODELS:
        process = multiprocessing.get_context('spawn').Process(
            target=build, args=(name, args.out.absolute()))
        process.start()
        process.join()
        print(name, 'failed' if process.exitcode else 'made', flush=True)
        failed += [name] * bool(process.exitcode)
    return 1 if failed else 0


if __name__ == '__main__':
    raise SystemExit(main())
