"""The table of rights: complete, closed to what it does not name, and roles read off certificates strictly."""

from __future__ import annotations

import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from hedgerow.execution.v1 import execution_pb2
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Refused
from common.security import access

SERVICES = [
    execution_pb2.DESCRIPTOR.services_by_name["ExecutionService"],
    health_pb2.DESCRIPTOR.services_by_name["Health"],
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
]


def test_the_table_names_every_call_there_is_and_no_other() -> None:
    named = [target for action in access.CALLS for target in action.targets]
    served = {f"/{s.full_name}/{m.name}" for s in SERVICES for m in s.methods}
    # The library's health service has no answer to List.
    assert sorted(named) == sorted(served - {"/grpc.health.v1.Health/List"})


def test_only_the_manager_touches_orders_and_an_agent_nothing() -> None:
    service = f"/{access.SERVICE}/"
    for method in ("StreamOrders", "Fence"):
        assert [role for role in access.ROLES if access.permits(role, service + method)] == ["manager"]
    methods = [target for action in access.CALLS for target in action.targets]
    for role in ("agent", "fleet", "feed", "setup", "execution", "nobody", ""):
        assert not any(access.permits(role, method) for method in methods), role
    assert not any(access.permits(role, service + "NewCall") for role in access.ROLES)


def test_each_subject_stands_once_in_the_table() -> None:
    for actions in (access.SAYS, access.HEARS):
        targets = [target for action in actions for target in action.targets]
        assert sorted(targets) == sorted(set(targets))
    assert {role for action in access.ACTIONS for role in action.roles} <= set(access.ROLES)


@pytest.mark.parametrize(
    ("uris", "name"),
    [
        ([], "alice"),
        (["spiffe://hedgerow/role/manager", "spiffe://hedgerow/role/viewer"], "alice"),
        (["spiffe://elsewhere/role/manager"], "alice"),
        (["spiffe://hedgerow/role/king"], "alice"),
        (["spiffe://hedgerow/role/"], "alice"),
        (["spiffe://hedgerow/role/manager"], ""),
        (["spiffe://hedgerow/role/manager"], "manager-a/alice"),
    ],
)
def test_a_certificate_without_exactly_one_role_and_a_name_is_refused(uris: list[str], name: str) -> None:
    with pytest.raises(Refused, match="certificate of"):
        access.identity(uris, name)


def test_a_certificate_says_role_and_name() -> None:
    assert access.identity([access.role_uri("viewer")], "bob") == access.Identity("viewer", "bob")


NAMES = st.text(st.characters(exclude_characters="/"), min_size=1)


@given(NAMES, st.text(min_size=1))
def test_what_is_said_on_behalf_begins_with_the_proven_name(name: str, who: str) -> None:
    said = access.on_behalf(name, who)
    assert access.speaks_for(name, said) and access.on_behalf(name, said) == said


@given(NAMES, NAMES, st.text())
def test_nobody_speaks_for_another(name: str, other: str, rest: str) -> None:
    claimed = f"{other}/{rest}"
    assert access.speaks_for(name, claimed) == (name == other and rest != "")
    assert access.speaks_for(name, other) == (name == other)
