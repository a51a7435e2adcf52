"""Networks as text: what is read, that it round-trips to the same bits, and what is refused, where and why."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guldberg.errors import InputError
from guldberg.network import ReactionNetwork
from guldberg.rates import Arrhenius, Constant
from guldberg.text import format, parse, read
from tests.zoo import ZOO

names = st.one_of(st.from_regex(r"[A-Za-z_α-ω][A-Za-z0-9_']{0,3}", fullmatch=True), st.text(min_size=1, max_size=4))
numbers = st.floats(-1e6, 1e6).map(lambda x: x + 0.0)  # no negative zero


@st.composite
def laws(draw, reactions, reverse):
    """Rate laws of every kind; a reverse direction may be missing, and then has no other parameters."""
    log = st.floats(-600, 600)
    log = np.array(draw(st.lists(st.one_of(log, st.just(-np.inf)), min_size=reactions, max_size=reactions)))
    if reverse and not np.isfinite(log).any():
        return None
    if draw(st.booleans()):
        return Constant(jnp.asarray(log))
    b, Ea = (np.array(draw(st.lists(numbers, min_size=reactions, max_size=reactions))) for _ in "bE")
    exists = np.isfinite(log) | (not reverse)
    return Arrhenius(jnp.asarray(log), jnp.asarray(b * exists), jnp.asarray(Ea * exists))


@st.composite
def networks(draw):
    species = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    reactions = draw(st.integers(1, 4))
    side = st.lists(st.integers(0, 3), min_size=len(species), max_size=len(species))
    pairs = st.tuples(side, side).filter(lambda pair: pair[0] != pair[1])
    rows = draw(st.lists(pairs, min_size=reactions, max_size=reactions))
    left, right = (jnp.asarray([row[i] for row in rows]) for i in (0, 1))
    return ReactionNetwork(left, right, draw(laws(reactions, False)), draw(laws(reactions, True)), tuple(species))


@given(networks(), st.data())
@settings(deadline=None, max_examples=200)
def test_every_network_is_read_back_to_the_same_bits(network, data):
    amounts = st.dictionaries(st.sampled_from(network.species), st.floats(0, 1e300))
    initial = data.draw(amounts)
    model = read(format(network, initial))
    assert model.network == network and model.initial == initial
    assert parse(str(network)) == network


@pytest.mark.parametrize("known", ZOO.values(), ids=ZOO)
def test_the_zoo_is_read_back(known):
    assert read(format(known.network, known.model.initial)) == known.model


def test_reading_is_what_it_says():
    model = read(
        """
        # Michaelis-Menten
        E + S <-> ES @ 1e6, 1e3      # forward, reverse
        ES -> E + P  @ 10            // Antimony's comment
        0 -> S       @ .1
        2P -> 3 "Fe3+" @ arrhenius(A=1e13, Ea=5e4)
        initial: E = 1, "Fe3+" = 1e-3
        """
    )
    network = model.network
    assert network.species == ("E", "S", "ES", "P", "Fe3+")
    assert network.reactants.tolist() == [[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 2, 0]]
    assert network.products.tolist() == [[0, 0, 1, 0, 0], [1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 3]]
    hot = 1e13 * np.exp(-5e4 / (8.314462618 * 900))
    np.testing.assert_allclose(network.forward(900.0), [1e6, 10, 0.1, hot], rtol=1e-14)
    assert network.reverse is not None
    np.testing.assert_allclose(network.reverse(None), [1e3, 0, 0, 0], rtol=1e-14)
    assert model.initial == {"E": 1.0, "Fe3+": 1e-3}


@pytest.mark.parametrize("arrow", ["->", "-->", "=>", "→"])
def test_arrows_one_way(arrow):
    for text in (f"A{arrow}2B@3", f"  A  {arrow}  2 B  @  3  ", f"A {arrow} B + B @ 3", f"\ufeffA {arrow} 2 B @ 3\r\n"):
        assert parse(text) == parse("A -> 2 B @ 3")


@pytest.mark.parametrize("arrow", ["<->", "<-->", "<=>", "⇌"])
def test_arrows_both_ways(arrow):
    assert parse(f"A {arrow} 0 @ 3, 4") == parse("A <-> ∅ @ 3, 4")


@pytest.mark.parametrize(
    ("antimony", "ours"),
    [
        ("J1: A + B -> C; k*A*B; \n k = 0.1;", "A + B -> C @ 0.1"),
        ("J1: A + B => C; A*0.1*B", "A + B -> C @ 0.1"),
        ("2 A -> B; k1*A^2", "2 A -> B @ 0.25"),
        ("2 A -> B; k1*A*A", "2 A -> B @ 0.25"),
        ("2 A -> B; A**2*k1", "2 A -> B @ 0.25"),
        ("A -> B; k1*A - k2*B", "A <-> B @ 0.25, 0.5"),
        ("A <-> B; 2*k1*A - 4*B", "A <-> B @ 0.5, 4"),
        ("0 -> A; k1\nA -> 0; 3*A", "0 -> A @ 0.25\nA -> 0 @ 3"),
        ("A -> B @ k1", "A -> B @ 0.25"),
        ("A <-> B @ k1, k2", "A <-> B @ 0.25, 0.5"),
        ('"k1" -> B; 3*"k1"', '"k1" -> B @ 3'),
    ],
)
def test_the_antimony_shape_is_read_where_it_is_mass_action(antimony, ours):
    used = [f"{name} = {value}" for name, value in (("k1", 0.25), ("k2", 0.5)) if f"{name}" in antimony]
    text = antimony if '"' in antimony else "\n".join([*used, antimony])
    assert parse(text) == parse(ours)


def test_amounts_may_stand_on_their_own_lines():
    assert read("A -> B @ k\nA = 10\nk = 0.5").initial == {"A": 10.0}


def test_the_order_of_species_can_be_given():
    network = parse("species: B, C, A\nA -> B @ 1")
    assert network.species == ("B", "C", "A") and network.reactants.tolist() == [[0, 0, 1]]


def test_missing_rates_can_have_a_default():
    assert parse("A -> B\nB <-> C @ 2, 3", default_rate=1.5) == parse("A -> B @ 1.5\nB <-> C @ 2, 3")
    assert parse("B <-> C", default_rate=1) == parse("B <-> C @ 1, 1")
    with pytest.raises(ValueError, match="not negative"):
        parse("A -> B", default_rate=-1.0)


REFUSED = [  # text, line, column, part of the message
    ("", None, None, "at least one reaction"),
    ("# only this\n\n", None, None, "at least one reaction"),
    ("A", 1, 2, "got the end of the line"),
    ("A ->", 1, 5, "expected a species, or 0"),
    ("-> A @ 1", 1, 1, "expected a species, or 0"),
    ("A -> B", 1, 7, "'@ 0.1'"),
    ("A -> B;", 1, 8, "'@ 0.1'"),
    ("A -> B @", 1, 9, "expected a rate constant"),
    ("A -> B @ -1", 1, 10, "must not be negative, got -1"),
    ("A -> B @ inf", 1, 10, "finite number, got inf"),
    ("A -> B @ -inf", 1, 10, "got '-inf'"),
    ("A -> B @ NaN", 1, 10, "finite number, got NaN"),
    ("A -> B @ 1e400", 1, 10, "too large"),
    ("A -> B @ 1e99999", 1, 10, "got '1e99999'"),
    ("A -> B @ 1e", 1, 10, "got '1e'"),
    ("A -> B @ 0x10", 1, 10, "got '0x10'"),
    ("A -> B @ 10s", 1, 10, "got '10s'"),
    ("A -> B @ 1,5", 1, 11, "decimal point"),
    ("A <-> B @ 1", 1, 12, "two rate constants"),
    ("A <-> B @ 1,", 1, 13, "expected a rate constant"),
    ("A <-> B @ 1, 2, 3", 1, 15, "expected the end of the line, got ','"),
    ("A -> B @ 1 2", 1, 12, "expected the end of the line, got '2'"),
    ("A -> B @ k", 1, 10, "write 'k = 0.1'"),
    ("A -> B @ (1)", 1, 10, "got '('"),
    ("0 A -> B @ 1", 1, 1, "whole number from 1 on, got 0"),
    ("A -> -2 B @ 1", 1, 6, "whole number from 1 on, got -2"),
    ("1.5 A -> B @ 1", 1, 1, "whole number from 1 on, got 1.5"),
    ("1001 A -> B @ 1", 1, 1, "at most 1000"),
    ("600 A + 600 A -> B @ 1", 1, 9, "1200 A"),
    (f"{10**30} A -> B @ 1", 1, 1, "at most 1000"),
    ("A + -> B @ 1", 1, 5, "expected a species"),
    ("A + 0 -> B @ 1", 1, 5, "got 0"),
    ("0 + A -> B @ 1", 1, 3, "expected '->' or '<->', got '+'"),
    ("A B -> C @ 1", 1, 3, "got 'B'"),
    ("A - B @ 1", 1, 3, "got '-'"),
    ("A -> -> B @ 1", 1, 6, "got '->'"),
    ("A -> B -> C @ 1", 1, 8, "got '->'"),
    ("A -> A @ 1", 1, 1, "changes nothing"),
    ("A + B -> B + A @ 1", 1, 1, "changes nothing"),
    ("0 -> ∅ @ 1", 1, 1, "changes nothing"),
    ("Fe3+ -> Fe2 @ 1", 1, 6, "quoted"),
    ("A* -> B @ 1", 1, 2, "got '*'"),
    ('"A -> B @ 1', 1, 1, "expected a species"),
    ('"" -> B @ 1', 1, 1, "must not be empty"),
    ('"\\x" -> B @ 1', 1, 1, "no quoted name"),
    ("A -> B @ arrhenius(b=1)", 1, 23, "needs A"),
    ("A -> B @ arrhenius(A=1", 1, 23, "',' or ')'"),
    ("A -> B @ arrhenius(A=1, A=2)", 1, 25, "at most once, got A"),
    ("A -> B @ arrhenius(A=1, T=2)", 1, 25, "A, b and Ea"),
    ("A -> B @ arrhenius(A=-1)", 1, 22, "must not be negative"),
    ("A -> B @ arrhenius(A=1, Ea=1e999)", 1, 28, "too large"),
    ("A -> B @ arrhenius", 1, 19, "expected '('"),
    ("A -> B @ 1\ninitial: C = 1", 2, 10, "they are A, B"),
    ("A -> B @ 1\ninitial: A = 1, A = 2", 2, 17, "given twice"),
    ("A -> B @ 1\ninitial: A = 1\nA = 2", 3, 1, "given twice"),
    ("A -> B @ 1\ninitial: A = -1", 2, 14, "must not be negative"),
    ("A -> B @ 1\ninitial: A 1", 2, 12, "'=' after A"),
    ("A -> B @ 1\ninitial:", 2, 9, "expected a name"),
    ("A -> B @ 1\ninitial: A = 1 B = 2", 2, 16, "got 'B'"),
    ("A -> B @ 1\nAa = 3", 2, 1, "neither a species nor used"),
    ("A -> B @ 1\nk = 1\nk = 2", 3, 1, "given twice"),
    ("A -> B @ B\nB = 3", 2, 1, "both a species and a rate constant"),
    ("species: A\nA -> B @ 1", 2, 6, "B is not in the list"),
    ("species: A, A\nA -> 0 @ 1", 1, 13, "listed twice"),
    ("species: A\nspecies: A\nA -> 0 @ 1", 2, 1, "listed twice"),
    ("A -> B; Vmax*A/(Km + A)", 1, 15, "only '*'"),
    ("A -> B; (A)", 1, 9, "got '('"),
    ("A -> B; 3*B", 1, 9, "not mass action: expected k*A"),
    ("A -> B; 3*A*A", 1, 9, "not mass action: expected k*A"),
    ("2 A -> B; 3*A", 1, 11, "expected k*A^2"),
    ("A -> B; 0.3", 1, 9, "expected k*A"),
    ("A -> B; k*A", 1, 9, "write 'k = 0.1'"),
    ("A <-> B; 3*A", 1, 13, "the rate of the way back"),
    ("A -> B; 3*A^", 1, 12, "got '^'"),
    ("A -> B; sin(A)", 1, 12, "got '('"),
    ("A -> B @ 1\nA -> B @ 1" + " " * 10_000, 2, 1, "characters"),
    ("A -> B @ 1\x00", 1, 11, "got '\\x00'"),
    ("time,A,B\n0,1,2", 1, 5, "got ','"),
    ("<?xml version='1.0'?>", 1, 1, "got '<'"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), REFUSED, ids=[repr(case[0][:30]) for case in REFUSED])
def test_what_cannot_be_read_is_named_with_its_place(text, line, column, message):
    with pytest.raises(InputError) as caught:
        parse(text, file="net.crn")
    error = caught.value
    assert (error.line, error.column) == (line, column)
    place = ":".join(str(part) for part in ("net.crn", line, column) if part is not None)
    assert str(error).startswith(f"{place}: ") and message in str(error) and "\n" not in str(error)


@given(st.text(alphabet='AB20+->=@;:,.*^()"k# \n', max_size=40))
@settings(deadline=None, max_examples=400)
def test_any_text_is_a_network_or_a_told_error(text):
    try:
        network = parse(text)
    except InputError:
        return
    assert parse(format(network)) == network


@pytest.mark.parametrize(
    ("reactants", "products", "k", "message"),
    [
        ([[1.0, 0.0]], [[0.0, 1.0]], [1.0], "round it"),
        ([[1, 0]], [[1, 0]], [1.0], "changes something"),
        (np.zeros((0, 2), int), np.zeros((0, 2), int), [], "at least one reaction"),
    ],
)
def test_what_has_no_text_is_refused(reactants, products, k, message):
    network = ReactionNetwork(jnp.asarray(reactants), jnp.asarray(products), Constant.of(k), None, ("A", "B"))
    with pytest.raises(ValueError, match=message):
        format(network)


def test_impossible_amounts_are_not_written():
    for initial in ({"C": 1.0}, {"A": np.nan}, {"A": -1.0}):
        with pytest.raises(ValueError, match="concentrations of species"):
            format(parse("A -> B @ 1"), initial)
