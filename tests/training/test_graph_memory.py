"""Memory counted on graphs, against tensors counted by hand."""

import pytest
import tensorflow as tf

from reiqa_tf.training.graph_memory import ROWS, GraphMemory, variable_bytes

FLOAT = 4


def _counted(function, *shapes):
    specs = [tf.TensorSpec(shape) for shape in shapes]
    return GraphMemory(tf.function(function).get_concrete_function(*specs).graph)


def test_a_network_of_two_layers_needs_what_is_counted_by_hand():
    first, second = (tf.Variable(tf.zeros(shape)) for shape in ((10, 30), (30, 2)))

    def learn(rows):
        with tf.GradientTape() as tape:
            hidden = tf.tanh(rows @ first)
            loss = tf.reduce_sum(hidden @ second)
        return tape.gradient(loss, [first, second])

    memory = _counted(learn, (ROWS, 10))
    # The hidden layer is kept, tanh having written over its argument; what is summed is not.
    fixed = [memory.kept_for_gradient(rows) - rows * 30 * FLOAT for rows in (5, 50)]
    assert fixed[0] == fixed[1] < 100  # the loss, and numbers that say along which axes
    # Most is needed while the gradient goes back through the second product: the hidden layer, its
    # gradient and that of the output. The gradient of tanh writes over what it is given.
    most = [memory.peak(rows) for rows in (5000, 6000)]
    assert (most[1] - most[0]) / 1000 == (30 + 30 + 2) * FLOAT


def test_what_is_read_no_more_makes_room():
    def chain(rows):
        for _ in range(5):
            rows = tf.reshape(tf.tile(rows, (1, 2)), (-1, 2, 10))[:, 0]
        return rows

    memory = _counted(chain, (ROWS, 10))
    assert memory.peak(7) - memory.peak(6) == 20 * FLOAT + 10 * FLOAT
    assert memory.kept_for_gradient(7) == 0


def test_variables_count_by_their_type():
    variables = [tf.Variable(tf.zeros((3, 5))), tf.Variable(tf.zeros(7, tf.bfloat16))]
    assert variable_bytes(variables) == 15 * 4 + 7 * 2


def test_a_tensor_of_unknown_size_is_refused():
    with pytest.raises(ValueError, match="expected a known shape"):
        _counted(lambda rows: tf.boolean_mask(rows, rows[:, 0] > 0), (ROWS, 10))
