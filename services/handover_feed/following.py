"""What was written and done before anybody knew who a child is follows the child, once somebody has said so (H12).

Notes and acts are told on the child's own card, and nothing is done again. Whoever saw to the unmatched child takes the
child's matter by an act like any other, so that the log decides there too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from services.bus.envelope import Event, same_cause_same_id
from services.bus.events import Followed, HandoverAct, HandoverActed, HandoverNoted, MatterCued

if TYPE_CHECKING:
    from services.handover_feed.view import Matter

MOST = 50
"""Notes, and acts, that follow: more of either nobody writes before it is known who the child is."""
BECAUSE = "This was taken before it was known who the child is."


def follow(heard: Event, before: Matter, now: Matter) -> Iterator[Event]:
    """What goes on to the child's matter now that its question is answered, or that came after the answer."""
    child_id = now.matched_to
    if child_id is None:
        return
    new = before if before.matched_to == child_id else type(now)()
    notes = [one for one in now.written if one.note_id not in {had.note_id for had in new.written}]
    acts = [one for one in now.acted if one.act_id not in {had.act_id for had in new.acted}]
    if notes or acts:
        told = Followed(matter_id=now.matter_id, notes=notes, acts=acts)
        yield MatterCued.because(heard, subject=child_id, matter_id=child_id, child_id=child_id, followed=told)
    holder, taken_at = now.standing.holder, now.standing.taken_at
    if holder and taken_at and (new.standing.holder, new.standing.taken_at) != (holder, taken_at):
        own_id = same_cause_same_id("follow", now.matter_id, child_id, holder.person_id, taken_at.isoformat())
        yield HandoverActed.because(
            heard,
            subject=child_id,
            act_id=str(own_id),
            matter_id=child_id,
            child_id=child_id,
            act=HandoverAct.TAKEN,
            by=holder,
            acted_at=heard.at,
            reason=BECAUSE,
            addresses=[one.note_id for one in now.written],
            no_longer=[],
        )


def notes_of(cue: MatterCued) -> Iterator[HandoverNoted]:
    """The notes as the child's own matter hears them: each said when it was written, under its own id."""
    for note in cue.followed.notes if cue.followed else ():
        said = cue.envelope.changed(id=note.note_id, type=HandoverNoted.topic, time=note.written_at)
        mine = note.model_copy(update={"matter_id": cue.matter_id, "child_id": cue.child_id})
        yield mine.enveloped(said)
