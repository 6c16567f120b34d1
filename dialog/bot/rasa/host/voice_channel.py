"""Rasa input channel for calls: typed events with a token, structured replies.

POST /webhooks/voice/event   {"call": ID, "type": T, ...}   ->  {"messages": [...], "understood": {...}}
GET  /webhooks/voice/health                                 ->  {"calls": trackers kept}

Types: `utterance` ("hypotheses": [{"text", "confidence"}]), and those without words, which reach the project as an
intent of that name: `call_opened` (metadata "caller", "dialled", "recorded" and "headers", those of the SIP INVITE that
are passed on, by name), `keys` (entity and metadata "digits"), `no_input`, `no_match`, `returned` (the caller is back
from a person, from waiting for one, or from a transfer that failed: metadata "why"; a project without that intent gets
`call_opened` again), and `hung_up`, the last one of a call: afterwards its tracker is forgotten.

Messages: {"say": TEXT, "interruptible": bool}, {"collect": {"expect", "max_digits", "no_input_ms"}},
{"handoff": REASON, "skill": "billing"}, {"transfer": "+3225550123"}, {"hangup": CAUSE}, {"pace": 0.8},
{"repeat": true}. A project sends all but plain text as a custom payload (`json_message`). What follows a handoff, a
transfer or a hang-up is dropped; without a skill anybody may take the caller.
"""

import hmac

from rasa.core.channels.channel import CollectingOutputChannel, InputChannel, UserMessage
from rasa.core.tracker_store import InMemoryTrackerStore
from rasa.shared.core.events import ActionExecuted, UserUttered
from sanic import Blueprint, response

_WORDLESS = frozenset({"call_opened", "keys", "no_input", "no_match", "returned", "hung_up"})
_METADATA = ("caller", "dialled", "recorded", "headers", "digits", "why")
_LAST = frozenset({"handoff", "transfer", "hangup"})
_FALLBACK = "nlu_fallback"
_UNSURE = frozenset({None, _FALLBACK, "out_of_scope"})
_HYPOTHESES = 3
_LIMIT_CHARS = 1_000
_TRACKERS = 2_000


class VoiceOutput(CollectingOutputChannel):
    """Collects what the bot says in this channel's message form."""

    @classmethod
    def name(cls):
        return "voice"

    def __init__(self):
        super().__init__()
        self.spoken = []
        self._over = False

    def _add(self, message):
        if not self._over and message:
            self.spoken.append(message)
            self._over = not _LAST.isdisjoint(message)

    async def send_text_message(self, recipient_id, text, **kwargs):
        self._add({"say": text})

    async def send_custom_json(self, recipient_id, json_message, **kwargs):
        self._add(dict(json_message))


class VoiceChannel(InputChannel):
    """One call is one sender; the caller of this channel sends the turns of a call one after the other."""

    def __init__(self, token):
        self._token = token

    @classmethod
    def name(cls):
        return "voice"

    @classmethod
    def from_credentials(cls, credentials):
        """For a Rasa that somebody else runs: `voice_channel.VoiceChannel: {token: ...}` in its credentials file."""
        return cls(credentials["token"])

    def blueprint(self, on_new_message):
        routes = Blueprint("voice_channel")

        @routes.middleware("request")
        async def check_token(request):
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                return response.json({"error": "unauthorized"}, status=401)
            return None

        @routes.route("/health", methods=["GET"])
        async def health(request):
            return response.json({"calls": len(_kept(request.app.ctx.agent))})

        @routes.route("/event", methods=["POST"])
        async def event(request):
            try:
                call, kind, body = request.json["call"], request.json["type"], request.json
                utterances = [(h["text"][:_LIMIT_CHARS], float(h["confidence"])) for h in body.get("hypotheses", ())]
            except (KeyError, TypeError, ValueError):
                return response.json({"error": "malformed event"}, status=400)
            agent = request.app.ctx.agent
            if kind == "utterance" and utterances:
                parsed, heard = await _parse(agent, utterances[:_HYPOTHESES])
            elif kind in _WORDLESS:
                known = kind != "returned" or kind in agent.domain.intents
                parsed, heard = _wordless(kind if known else "call_opened", body), 1.0
            else:
                return response.json({"error": "unknown event"}, status=400)
            if kind == "hung_up" and kind not in agent.domain.intents:
                _kept(agent).pop(str(call), None)
                return response.json({"messages": [], "understood": None})
            metadata = {k: body[k] for k in _METADATA if k in body}
            output = VoiceOutput()
            await on_new_message(
                UserMessage(
                    parsed["text"],
                    output,
                    str(call),
                    parse_data=parsed,
                    input_channel="voice",
                    metadata={**metadata, "type": kind, "confidence": heard},
                )
            )
            tracker = await agent.tracker_store.retrieve(str(call))
            if kind == "hung_up":
                _kept(agent).pop(str(call), None)
            _bound(_kept(agent))
            return response.json({"messages": output.spoken, "understood": _understood(parsed, tracker)})

        return routes


def _kept(agent):
    """The trackers in memory, by call; a project with a store of its own looks after it itself."""
    # Rasa wraps the store it was given
    store = getattr(agent.tracker_store, "_tracker_store", agent.tracker_store)
    return store.store if isinstance(store, InMemoryTrackerStore) else {}


def _bound(kept):
    """Trackers are dropped when their call ends; should that word get lost, the oldest go."""
    while len(kept) > _TRACKERS:
        kept.pop(next(iter(kept)))


async def _parse(agent, utterances):
    """The first reading the classifier is sure of; else the one it is surest of."""
    best = None
    for text, confidence in utterances:
        # a leading slash would be taken for an intent by Rasa: a caller may not choose one by name
        parsed = await agent.parse_message(text.lstrip("/ ") or "-")
        sure = parsed["intent"]["name"] not in _UNSURE
        rank = (sure, confidence * parsed["intent"]["confidence"])
        if best is None or rank > best[0]:
            best = (rank, parsed, confidence)
        if sure:
            break
    return best[1], best[2]


def _wordless(kind, body):
    entities = []
    if "digits" in body:
        entities = [{"entity": "digits", "value": str(body["digits"]), "start": 0, "end": 0}]
    return {"text": f"/{kind}", "intent": {"name": kind, "confidence": 1.0}, "entities": entities, "intent_ranking": []}


def _understood(parsed, tracker):
    """Intent, slots and actions of the turn. Slots whose name begins with an underscore stay inside the bot."""
    actions = []
    for event in reversed(tracker.events):
        if isinstance(event, UserUttered):
            break
        if isinstance(event, ActionExecuted) and event.action_name not in (
            "action_listen",
            "action_session_start",
            None,
        ):
            actions.append(event.action_name)
    slots = [
        [name, str(slot.value)]
        for name, slot in tracker.slots.items()
        if slot.value is not None
        and not name.startswith("_")
        and name not in ("requested_slot", "session_started_metadata")
    ]
    return {
        "intent": parsed["intent"]["name"] or _FALLBACK,
        "confidence": float(parsed["intent"]["confidence"]),
        "slots": slots,
        "actions": actions[::-1],
    }
