"""Loads models with TensorFlow, in a process of its own.

A value is given back as (dtype, shape, bytes); the elements of strings as a list of bytes instead.
"""

import os

os.environ.update(TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='', TF_ENABLE_ONEDNN_OPTS='0')

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf_keras  # noqa: E402

v1 = tf.compat.v1


def plain(value, dtype=None):
    if hasattr(value, 'numpy'):
        value = value.numpy()
    if dtype == 'string':
        value = np.asarray(value, object)  # NumPy's own strings end at a NUL
        return dtype, list(value.shape), [bytes(s) for s in value.ravel()]
    value = np.asarray(value)
    return dtype or value.dtype.name, list(value.shape), value.tobytes()


def checkpoint(prefix):
    """All tensors of a bundle, by key, that TensorFlow can read."""
    reader = tf.train.load_checkpoint(prefix)
    types, found = reader.get_variable_to_dtype_map(), {}
    for name, dtype in types.items():
        try:
            value = reader.get_tensor(name)
        except Exception:
            if dtype in (tf.variant, tf.float16):
                continue
            value = raw_restore(prefix, name, dtype)
        found[name] = plain(value, dtype.name)
    return found


def raw_restore(prefix, name, dtype):
    """Some dtypes cannot be had from the reader."""
    return tf.raw_ops.RestoreV2(prefix=prefix, tensor_names=[name], shape_and_slices=[''],
                                dtypes=[dtype])[0]


class Net(tf_keras.Model):
    def __init__(self):
        super().__init__()
        self.l1 = tf_keras.layers.Dense(5)

    def call(self, x):
        return self.l1(x)


def restore(prefix, legacy):
    """A program that goes on with its training: net, optimizer, step."""
    optimizers = tf_keras.optimizers.legacy if legacy else tf_keras.optimizers
    net, step, optimizer = Net(), tf.Variable(1, dtype=tf.int64), optimizers.Adam(0.1)
    net(tf.zeros((1, 1)))
    if legacy:
        optimizer._create_all_weights(net.trainable_variables)
    else:
        optimizer.build(net.trainable_variables)
    status = tf.train.Checkpoint(step=step, optimizer=optimizer, net=net).restore(prefix)
    status.assert_existing_objects_matched()
    slots = ({f'{slot}/{v.name}': optimizer.get_slot(v, slot) for slot in 'mv'
              for v in net.trainable_variables} if legacy
             else {v.name: v for v in optimizer.variables})
    named = {'step': step, 'kernel': net.l1.kernel, 'bias': net.l1.bias, **slots}
    return {name: plain(value) for name, value in named.items()}


def module_values(path, names):
    module = tf.saved_model.load(path)
    return {name: plain(getattr(module, name)) for name in names}


def module_variables(path):
    """All variables that tf.saved_model.load() makes, wherever they hang."""
    from tensorflow.python.checkpoint.graph_view import ObjectGraphView
    module = tf.saved_model.load(path)  # a view does not keep it alive
    nodes = ObjectGraphView(module).breadth_first_traversal()[0]
    return [plain(node) for node in nodes if isinstance(node, tf.Variable)]


def module_call(path, signature, inputs):
    module = tf.saved_model.load(path)
    outputs = module.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})
    return {name: plain(value) for name, value in outputs.items()}


def keras_model(path, inputs):
    """The weights of load_model() in their order, and what it predicts."""
    model = tf_keras.models.load_model(path)
    predicted = model(tf.constant(inputs, tf.float32)) if inputs is not None else []
    return [plain(value) for value in model.get_weights()], plain(predicted)


def keras_from_json(text):
    """The model that an architecture describes: its to_json(), the shapes of its weights."""
    model = tf_keras.models.model_from_json(text)
    return model.to_json(), [list(w.shape) for w in model.get_weights()]


def keras_optimizer(path):
    """What load_model() compiles a model with: the optimizer's class, its rate."""
    optimizer = tf_keras.models.load_model(path).optimizer
    return type(optimizer).__name__, float(optimizer.learning_rate.numpy())


def keras_weights(prefix):
    """What load_weights() puts into the model, built anew."""
    digits = tf_keras.Input((784,))
    hidden = tf_keras.layers.Dense(64)(tf_keras.layers.Dense(64)(digits))
    model = tf_keras.Model(digits, tf_keras.layers.Dense(10)(hidden))
    model.load_weights(prefix).assert_existing_objects_matched()
    return [plain(value) for value in model.get_weights()]


def session(path, signature, inputs):
    """What a program of TensorFlow 1, or a server, gets from a signature."""
    with v1.Graph().as_default(), v1.Session() as s:
        loaded = v1.saved_model.load(s, ['serve'], path)
        definition = loaded.signature_def[signature]
        feeds = {definition.inputs[k].name: v for k, v in inputs.items()}
        outputs = {k: v.name for k, v in definition.outputs.items()}
        return {name: plain(value) for name, value in s.run(outputs, feeds).items()}


def saver(prefix, shapes):
    """What a Saver of TensorFlow 1 restores into variables of these names and shapes."""
    with v1.Graph().as_default(), v1.Session() as s:
        variables = {name: v1.get_variable(name, shape) for name, shape in shapes.items()}
        v1.train.Saver(variables).restore(s, prefix)
        return {name: plain(value) for name, value in s.run(variables).items()}


managers = {}


def save_checkpoint(folder, value, keep=3):
    """One step of a training run of this process; what it keeps, oldest first."""
    if folder not in managers:
        variable = tf.Variable(tf.zeros(1000))
        managers[folder] = variable, tf.train.CheckpointManager(
            tf.train.Checkpoint(w=variable), folder, keep)
    variable, manager = managers[folder]
    variable.assign(tf.fill(variable.shape, float(value)))
    manager.save()
    return [os.path.basename(path) for path in manager.checkpoints]


def save_session(folder, steps):
    """The same by TensorFlow 1, whose paths are absolute."""
    with tf.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable('w', initializer=tf.zeros(1000))
        session.run(variable.initializer)
        saver = v1.train.Saver(max_to_keep=2)
        for step in steps:
            session.run(variable.assign(tf.fill([1000], float(step))))
            saver.save(session, f'{folder}/model.ckpt', global_step=step)


def latest_checkpoint(folder):
    path = tf.train.latest_checkpoint(folder)
    return path and os.path.basename(path)


def restore_latest(folder):
    """What a program that starts anew gets."""
    variable = tf.Variable(tf.zeros(1000))
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(w=variable), folder, 3)
    assert manager.restore_or_initialize()
    return plain(variable)
