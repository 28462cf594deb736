"""Work in threads: in order, so many at a time, and no more than is asked for."""

import threading

from reiqa_tf.scoring.reading_ahead import ahead


def test_results_come_in_order_and_no_more_calls_run_at_a_time_than_are_allowed():
    running, most = [], []

    def work(index):
        running.append(index)
        most.append(len(running))
        running.remove(index)
        return index**2

    assert list(ahead(work, 50, depth=10, threads=2)) == [index**2 for index in range(50)]
    assert max(most) <= 2


def test_calls_that_nobody_waits_for_are_not_begun():
    begun, go_on = [], threading.Event()

    def work(index):
        begun.append(index)
        if index:
            go_on.wait(10)
        return index

    results = ahead(work, 100, depth=20, threads=1)
    assert next(results) == 0
    threading.Timer(0.2, go_on.set).start()
    results.close()
    assert begun in ([0], [0, 1])
