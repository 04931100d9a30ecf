#!/usr/bin/env python3
"""Keras 2 models of every kind of nesting, saved as SavedModel and as weights, and their layers.

    make_layers.py DIR [NAME ...]

Runs with tf_keras, or with the Keras 2 of TensorFlow 2.15, which made tests/data/layers (with
NAME: blocks). Each model is DIR/NAME (a SavedModel; with arguments only these) and DIR/NAME.w
(weights). DIR/layers.json says what Keras says, in the order of model.layers and get_weights():
{NAME: {"layers": [[NAME, [SHA256]]], "weights": [SHA256], "to_json": model.to_json() or null}}.
"""

import hashlib
import json
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='', TF_ENABLE_ONEDNN_OPTS='0')

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

try:
    import tf_keras as keras
except ImportError:
    from tensorflow import keras

L = keras.layers


def functional():
    """More than ten layers, so that 10 is not before 2; a shared one; merging ones."""
    x, y = keras.Input((4,), name='left'), keras.Input((4,), name='right')
    shared = L.Dense(4, name='shared')
    h = L.Add(name='sum')([shared(x), shared(y)])
    for i in range(12):
        h = L.Dense(4, name=f'step_{i}', use_bias=i % 2 == 0)(h)
    h = L.BatchNormalization(name='norm')(h)
    return keras.Model([x, y], L.Dense(2, name='head', trainable=False)(h), name='functional')


def sequential():
    return keras.Sequential([
        keras.Input((8, 8, 3)), L.Conv2D(2, 3, name='conv'), L.BatchNormalization(name='bn'),
        L.Activation('relu'), L.SeparableConv2D(2, 3, name='separable'), L.Flatten(),
        L.Dropout(0.5), L.Dense(3, name='out'), L.PReLU(name='slope'),
        L.LayerNormalization(name='ln')], name='plain')


def deferred():
    """Built when it is called first."""
    model = keras.Sequential([L.Dense(3, name='a'), L.BatchNormalization(), L.Dense(2)])
    model(np.ones((2, 4), 'f'))
    return model


def one_layer():
    return keras.Sequential([keras.Input((3,)), L.Dense(2)])


def recurrent():
    x = keras.Input((5, 3))
    h = L.Bidirectional(L.LSTM(2, return_sequences=True), name='both')(x)
    h = L.RNN([L.LSTMCell(3), L.GRUCell(2)], return_sequences=True, name='stack')(h)
    h = L.TimeDistributed(L.Dense(3), name='each')(h)
    h = L.Bidirectional(L.GRU(2, return_sequences=True, name='inner'), name='gru')(h)
    h = L.ConvLSTM1D(2, 1, return_sequences=True)(L.Reshape((5, 4, 1))(h))
    return keras.Model(x, L.SimpleRNN(2)(L.Reshape((5, 8))(h)))


def nested():
    """A model in a model in a model, used twice, and partly frozen."""
    x = keras.Input((3,))
    inner = keras.Model(x, L.BatchNormalization(name='bn')(L.Dense(3, name='d')(x)), name='inner')
    y = keras.Input((3,))
    middle = keras.Sequential([keras.Input((3,)), inner, L.Dense(3, name='after')], name='middle')
    middle.layers[-1].trainable = False
    h = L.Dense(3, name='between')(inner(y))
    return keras.Model(y, L.Dense(1, name='last')(middle(h)))


def attention():
    x = keras.Input((4, 6))
    h = L.MultiHeadAttention(2, 3, name='mha')(x, x)
    h = L.LayerNormalization(name='ln_1')(L.Add()([x, h]))
    h = L.EinsumDense('abc,cd->abd', output_shape=(4, 6), bias_axes='d', name='einsum')(h)
    return keras.Model(x, L.Attention(use_scale=True, name='att')([h, h]))


class Scale(L.Layer):
    def build(self, shape):
        self.factor = self.add_weight(name='factor', shape=(shape[-1],), initializer='ones')

    def call(self, x):
        return x * self.factor


class Counting(Scale):
    """A weight that is not trained, before those of layers within it."""

    def build(self, shape):
        self.calls = self.add_weight(name='calls', shape=(), trainable=False)
        self.scale = Scale()
        super().build(shape)

    def call(self, x):
        return self.scale(super().call(x))


class Block(L.Layer):
    """Layers within a layer: the BatchNormalization has weights that are not trained."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense, self.bn = L.Dense(units), L.BatchNormalization()
        self.scale = Scale()

    def call(self, x, training=False):
        return self.scale(self.bn(self.dense(x), training=training))

    def get_config(self):
        return {**super().get_config(), 'units': self.units}


class Plain(L.Layer):
    """The same without weights that are not trained: their order is in a checkpoint too."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.one, self.two = L.Dense(units), L.Dense(units, use_bias=False)

    def call(self, x):
        return self.two(self.one(x))

    def get_config(self):
        return {**super().get_config(), 'units': self.units}


def custom():
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(1)(Plain(2, name='plain')(L.Dense(3)(x))))


def blocks():
    x = keras.Input((4,))
    return keras.Model(x, Block(2, name='second')(Block(3, name='first')(x)))


def counting():
    x = keras.Input((4,))
    return keras.Model(x, L.Dense(2)(Counting(name='counting')(x)))


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = L.Dense(4)
        self.many = [L.Dense(3), L.Dense(3)]
        self.norm = L.BatchNormalization()
        self.rnn = L.LSTM(2)
        self.each = L.TimeDistributed(L.Dense(2))
        self.drop = L.Dropout(0.1)
        self.last = L.Dense(1)

    def call(self, x, training=False):
        h = self.norm(self.first(x), training=training)
        for layer in self.many:
            h = layer(h)
        return self.last(self.drop(self.rnn(self.each(tf.expand_dims(h, 1)))))


def subclassed():
    model = Net()
    model(np.ones((2, 4), 'f'))
    return model


class Lone(keras.Model):
    def __init__(self):
        super().__init__()
        self.rnn = L.LSTM(2)

    def call(self, x):
        return self.rnn(x)


def lone():
    model = Lone()
    model(np.ones((2, 4, 3), 'f'))
    return model


class Outer(keras.Model):
    """A subclassed model with others in it."""

    def __init__(self):
        super().__init__()
        self.net = Lone()
        self.tower = keras.Sequential([L.Dense(2), L.Dense(3)])
        self.out = L.Dense(1)

    def call(self, x):
        return self.out(self.tower(self.net(x)))


def outer():
    model = Outer()
    model(np.ones((2, 4, 3), 'f'))
    return model


def tied():
    """One variable in two layers."""
    x = keras.Input((3,))
    a, b = L.Dense(3, name='a'), L.Dense(3, name='b')
    model = keras.Model(x, b(a(x)))
    b.kernel = a.kernel
    b._trainable_weights[0] = a.kernel
    return model


def preprocessing():
    norm = L.Normalization(name='normalise')
    norm.adapt(np.arange(12, dtype='f').reshape(4, 3))
    x = keras.Input((3,))
    return keras.Model(x, L.Dense(2)(L.Dropout(0.2)(L.GaussianNoise(0.1)(norm(x)))))


def operators():
    x = keras.Input((3,))
    h = tf.nn.relu(L.Dense(3)(x) * 2 + 1)
    return keras.Model(x, L.Dense(1)(L.Lambda(lambda v: v)(tf.reduce_sum(h, 1, keepdims=True))))


def embedding():
    x = keras.Input((4,), dtype='int32')
    h = L.Conv1D(3, 2, name='block/conv')(L.Embedding(7, 3, name='words')(x))
    return keras.Model(x, L.Dense(1, name='block/out')(L.GlobalAveragePooling1D()(h)))


MODELS = (functional, sequential, deferred, one_layer, recurrent, nested, attention, custom, blocks,
          counting, subclassed, lone, outer, tied, preprocessing, operators, embedding)


def digest(value):
    return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()


def randomize(model):
    """No two weights are the same."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if weight.dtype == tf.float32:
            weight.assign(rng.random(weight.shape, 'f'))


def describe(model):
    return {'layers': [[layer.name, [digest(value) for value in layer.get_weights()]]
                       for layer in model.layers],
            'weights': [digest(value) for value in model.get_weights()],
            'to_json': to_json(model)}


def to_json(model):
    try:
        return model.to_json()
    except NotImplementedError:  # a subclassed one need not have a config
        return None


def main(out, *names):
    found = {}
    for make in MODELS:
        keras.backend.clear_session()
        name, model = make.__name__, make()
        randomize(model)
        model.compile('adam', 'mse')
        if name in names or not names:
            model.save(os.path.join(out, name), save_format='tf')
        model.save_weights(os.path.join(out, f'{name}.w'), save_format='tf')
        found[name] = describe(model)
    with open(os.path.join(out, 'layers.json'), 'w') as file:
        json.dump(found, file, indent=0)


if __name__ == '__main__':
    main(*sys.argv[1:])
