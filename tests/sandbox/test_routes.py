import pytest

from perfectpay_async.sandbox import routes
from perfectpay_async.sandbox.throttle import Throttle


@pytest.mark.parametrize("route", routes.ROUTES, ids=lambda route: route.operation)
def test_every_route_is_found_with_its_ids(route):
    path = route.template.format(payment_method_id="pm_1", customer_id="cus%2F1", key_id="eki_1")
    found, ids = routes.match(route.method, path)
    assert found is route
    assert ids == {
        name: value
        for name, value in (
            ("payment_method_id", "pm_1"),
            ("customer_id", "cus/1"),
            ("key_id", "eki_1"),
        )
        if name in route.template
    }


@pytest.mark.parametrize(
    "path", ["", "/", "payment_methods", "/payment_methods/", "/payment_methods/pm_1/", "/a/b/c"]
)
def test_other_paths_are_unknown(path):
    assert routes.match("GET", path) == (routes.UNKNOWN, {})


def test_another_method_is_not_another_path():
    assert routes.match("GET", "/payment_methods/pm_1/update")[0] is routes.WRONG_METHOD
    assert routes.match("PATCH", "/customers")[0] is routes.WRONG_METHOD


def test_the_throttle_counts_a_sliding_second_of_what_it_admits():
    throttle = Throttle()
    times = (0.0, 0.1, 0.2, 0.9, 1.0, 1.05, 1.1, 1.2)
    assert [throttle.admits(now, 2) for now in times] == [
        *(True, True, False, False, True, False, True, False),
    ]
    assert throttle.admits(1.2, 3)
    assert throttle.admits(1.2, None)
    assert not throttle.admits(9.0, 0)
