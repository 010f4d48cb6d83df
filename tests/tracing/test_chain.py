"""What led to what, on a real broker: whole, from headers, and never from one child to another."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient

from services.bus.catalogue import load
from services.bus.run import broker_for
from services.operating.chain import Chain, of_child, of_event
from services.operating.masking import MASK
from services.operating.reading import Log
from services.operating.tree import Node, trees
from tests.tracing.story import NAME, Story


async def found(story: Story, *, event: str | None = None, child: str | None = None) -> tuple[Chain, list[Node]]:
    """Nothing is said any more once the story is told, so each is looked for once."""
    if (event, child) not in story.found:
        async with Log(story.at) as log:
            nothing = lambda read, of: None  # noqa: E731
            chain = await of_event(log, event, nothing) if event else await of_child(log, str(child), nothing)
            story.found[event, child] = chain, log.catalogue
    chain, known = story.found[event, child]
    return chain, trees(chain, known)


def shape(story: Story, node: Node) -> object:
    """Names of the story's events, each with what followed from it."""
    name = next(name for name, event_id in story.ids.items() if event_id == node.id)
    return {name: [shape(story, effect) for effect in node.effects]} if node.effects else name


WHOLE = {"matched": [{"alert": ["letter", {"receipt": ["met"]}]}, "other_alert", {"deadline": ["missed"]}]}


async def test_a_chain_is_whole_wherever_it_is_taken_up(story: Story) -> None:
    """From the first event, one in the middle or the last: the same tree, with the dead letter, with the receipt by its
    disclosure and the missed deadline by the deadline that was set."""
    for name in ("matched", "other_alert", "letter", "met", "missed"):
        chain, (root,) = await found(story, event=story.ids[name])
        assert shape(story, root) == WHOLE
        assert [node.id for node in root.walk() if node.asked] == [story.ids[name]]
        assert not chain.cut


async def test_each_effect_says_how_long_it_took_and_by_what_it_is_joined(story: Story) -> None:
    """Milliseconds since the broker took its cause; nothing for what waited for a moment, which is no latency."""
    _, (root,) = await found(story, event=story.ids["matched"])
    nodes = {node.id: node for node in root.walk()}
    alert, receipt, missed = (nodes[story.ids[name]] for name in ("alert", "receipt", "missed"))
    assert root.after_ms is None
    assert alert.after_ms == round((alert.taken_at - root.taken_at).total_seconds() * 1000)
    assert (alert.joined_by, receipt.joined_by, missed.joined_by) == ("", "disclosure id", "deadline id")
    assert missed.after_ms is None
    assert [node.id for node in root.walk() if node.grave] == [story.ids["letter"], story.ids["missed"]]
    assert "copied to inbox.police.thames-valley" in missed.words


async def test_a_childs_trace_holds_no_other_childs(story: Story) -> None:
    """What led to it is shown, and what followed, but nothing under the key of a sibling of the same incident."""
    chain, roots = await found(story, child=story.child)
    ids = {node.id for root in roots for node in root.walk()}
    assert {story.ids[name] for name in ("matched", "alert", "deadline", "receipt", "met", "missed", "letter")} <= ids
    assert story.ids["other_alert"] not in ids
    assert story.other not in str([root.as_object() for root in roots])
    assert {heard.record.key for heard in chain.heard.values()} >= {story.child.encode()}


async def test_h1_nothing_joins_a_child_and_who_it_became(story: Story) -> None:
    """H1: two records of the directory that name each other, by a sender's mistake, are never shown together."""
    for child in (story.adopted_from, story.adopted_as):
        chain, _ = await found(story, child=child)
        assert not chain.heard
    for name in ("closed", "opened"):
        chain, _ = await found(story, event=story.ids[name])
        assert [marks.id.decode() for marks in chain.marks.values()] == [story.ids[name]]


async def test_h2_who_was_told_of_a_child_in_hiding_is_masked(story: Story) -> None:
    """H2: neither recipient nor sender is shown, in no event of that child, since each can reveal the place."""
    chain, roots = await found(story, child=story.hiding)
    assert chain.confidential
    assert len(roots) == 2
    assert "990001" not in str([root.as_object() for root in roots])
    assert {root.source for root in roots} == {MASK, "encompass-alerts"}


async def test_what_is_named_as_a_cause_and_is_not_there_is_said(story: Story) -> None:
    """A cause that fell out of retention, or never came, leaves its effect at the top, which says so."""
    _, roots = await found(story, event=story.ids["orphan"])
    assert [root.cause_gone for root in roots] == [story.nowhere]


async def test_one_id_of_two_senders_is_two_events(story: Story) -> None:
    """An id is its sender's own: each event of that id is shown, with its sender."""
    _, roots = await found(story, event=story.twice)
    assert {root.source for root in roots if root.asked} == {MASK}  # nothing says whether a child hides
    assert len({root.place for root in roots if root.asked}) == 2


async def test_nothing_personal_is_in_a_trace(story: Story) -> None:
    """No name, whoever asks for what."""
    for asked in ({"event": story.ids["matched"]}, {"child": story.child}, {"child": story.hiding}):
        _, roots = await found(story, **asked)
        assert roots
        assert NAME not in str([root.as_object() for root in roots])


async def test_what_was_not_kept_is_fetched(story: Story) -> None:
    """A log that is too large to keep is read again where it matters, and the trace is the same."""
    async with Log(story.at) as log:
        kept, fetched = [await of_event(log, story.ids["matched"], lambda r, o: None, keep=n) for n in (10**9, 0)]
    assert kept.heard.keys() == fetched.heard.keys()
    assert len(kept.heard) == 8


async def test_reading_leaves_no_trace_in_any_group(story: Story) -> None:
    """Whoever looks joins no group and commits nothing, so that no lag appears that nobody works off."""
    await found(story, event=story.ids["matched"])
    admin = AdminClient(broker_for(story.at, "admin").confluent())
    groups = {group.group_id for group in admin.list_consumer_groups(request_timeout=10).result().valid}
    assert not any(group.startswith("operator") for group in groups)


def test_an_operator_may_read_every_topic_of_events() -> None:
    """A trace has no holes where nothing is amiss: whoever adds a topic lets operators read it, masked."""
    ours = load()
    assert [name for name, topic in ours.topics.items() if "operator" not in topic.read_by] == []
    assert not any("operator" in inbox.read_by for inbox in ours.inboxes.values())


async def test_what_may_not_be_read_is_named(story: Story) -> None:
    """A topic that is another's alone is left out, and one sentence says so."""
    async with Log(story.at) as log:
        read = [r async for rs in log.to_the_end(["inbox.police.thames-valley", "nowhere.v1"]) for r in rs]
        assert not read
        assert log.refusal
        assert "nowhere.v1" in log.refusal
