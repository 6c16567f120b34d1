"""Authentication by digest, both sides of it: strangers who call us with an account, and challenges to our own calls.

RFC 3261 section 22. User to user only: we ask by 401, and answer 401 and 407.
"""

import hmac
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sipmessage import Request, Response

from dialog.errors import ConfigurationError, ProtocolError
from voice.wire.sip.digest import AUTH, STRONGEST_FIRST, Algorithm, Challenge, Credentials, is_digest
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.message import make_response, stateless_tag
from voice.wire.sip.nonces import Nonces
from voice.wire.sip.throttle import Throttle

_ANSWERS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
"""By status, the header that asks and the one that answers (RFC 3261 sections 22.2 and 22.3)."""

_NAME = re.compile(r'[^"\\\x00-\x1f\x7f]+\Z')

MAX_TOLD = 64
"""Characters of a realm that are repeated in an error of ours."""

MAX_ANSWERS = 2
"""Of one call: a password is sent once, and once more where only the nonce was stale."""


class Authenticator:
    """Knows strangers by their credentials. `accounts` are passwords by name, `secret` makes nonces ours.

    Nothing is kept of a request but the nonce-count of one that was right, tallies of wrong guesses, and where each
    account is used.
    """

    def __init__(
        self,
        realm: str,
        accounts: Mapping[str, str],
        secret: bytes,
        algorithms: Sequence[Algorithm] = STRONGEST_FIRST,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """Requests of strangers, by what became of them; the outcomes are a fixed set."""
        self._realm = realm
        self._accounts = accounts
        self._algorithms = algorithms
        self._nonces = Nonces(secret)
        self._throttle = Throttle()
        self._nobody = secret.hex()  # the password of those who do not exist: they cost the same time

    def judge(self, request: Request, host: str, token: str, now: float) -> str | Response | None:
        """The account that `request`, from `host`, was made with; else the answer to it, None for none at all.

        A password is looked at only with a nonce that `host` itself was given: nobody can have another banned. Who has
        to wait for the next try is told so before, and it does not count.
        """
        if self._throttle.banned(host, now):
            return self._count("throttled", None)
        try:
            credentials = self._credentials(request)
            if credentials is None or credentials.algorithm not in self._algorithms:
                return self._count("asked", self._ask(request, host, token, now))
            _check_purpose(credentials, request)
        except ProtocolError as error:
            return self._count("malformed", make_response(request, 400, str(error), to_tag=stateless_tag(request)))
        if not self._nonces.fresh(credentials.nonce, host, now):
            return self._count("stale", self._ask(request, host, token, now, stale=True))
        if wait_s := self._throttle.wait_s(host, credentials.username, now):
            later = {"Retry-After": str(math.ceil(wait_s))}
            return self._count("slowed", make_response(request, 503, to_tag=stateless_tag(request), headers=later))
        password = self._accounts.get(credentials.username)
        answer = credentials.answer(request.method, self._nobody if password is None else password)
        if not hmac.compare_digest(answer.encode(), credentials.response.encode()) or password is None:
            self._throttle.fail(host, credentials.username, now)
            return self._count("wrong", make_response(request, 403, to_tag=stateless_tag(request)))
        if not self._nonces.use(credentials.nonce, credentials.count):
            return self._count("replayed", self._ask(request, host, token, now, stale=True))
        self._throttle.succeed(host, credentials.username)
        self.counts["right"] += 1
        return credentials.username

    def _count(self, outcome: str, answer: Response | None) -> Response | None:
        self.counts[outcome] += 1
        return answer

    def _credentials(self, request: Request) -> Credentials | None:
        """Those for our realm; others are for others (RFC 3261 section 22.1)."""
        for value in request.headers.getlist("Authorization"):
            if is_digest(value) and (credentials := Credentials.parse(value)).realm == self._realm:
                return credentials
        return None

    def _ask(self, request: Request, host: str, token: str, now: float, *, stale: bool = False) -> Response:
        """A header field for each algorithm, the strongest first (RFC 8760 section 2.4)."""
        response = make_response(request, 401, to_tag=stateless_tag(request))
        asked = Challenge(self._realm, self._nonces.make(host, token, now), qop=(AUTH,), stale=stale)
        challenges = [str(replace(asked, algorithm=algorithm)) for algorithm in self._algorithms]
        response.headers.setlist("WWW-Authenticate", challenges)
        return response


def _check_purpose(credentials: Credentials, request: Request) -> None:
    """Raise ProtocolError unless they are of the kind that was asked for, and for the number that is dialled.

    Proxies rewrite hosts and parameters of a Request-URI, and whom it names stays (RFC 3261 section 22.4 item 1). Some
    callers sign the host alone (sipp does); what they send is good once all the same.
    """
    if credentials.qop != AUTH:
        raise ProtocolError("Only qop=auth Is Served")
    if not credentials.count:
        raise ProtocolError("Nonce-count Of 0")
    if WireURI.parse(credentials.uri).user not in (None, request.uri.user):
        raise ProtocolError("Credentials For Another URI")


class Realms:
    """What a password of ours is good for (RFC 3261 section 22.1): realms by their `names`; else that of the first
    challenge it answers, and no other after it. Calls and registrations with one peer share it.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = tuple(names)

    def obstacle(self, realm: str) -> str:
        """Why no challenge of `realm` is answered; "" where one is."""
        if not self._names or realm in self._names:
            return ""
        ours = " or ".join(f"'{name[:MAX_TOLD]}'" for name in self._names)
        return f"asked for realm '{realm[:MAX_TOLD]}', our password is for {ours}: if it is theirs, add it to `realms`"

    def keep_to(self, realm: str) -> None:
        """A challenge of `realm` is being answered."""
        self._names = self._names or (realm,)


class Login:
    """What one call of ours says when it is asked who it is: a name and a password, and the challenge they answer.

    Only challenges of `realms` are answered; without them the call has one of its own. Raises ConfigurationError for a
    name that cannot stand between quotes.
    """

    def __init__(self, name: str, password: str, realms: Realms | None = None) -> None:
        if not _NAME.match(name):
            raise ConfigurationError(f"{name!r} is no user name: quotes, backslashes and control characters are not")
        self.name = name
        self._password = password
        self._realms = realms or Realms()
        self._challenge: Challenge | None = None
        self._cnonce = ""
        self._header = ""
        self._count = 0
        self._answers = 0
        self._invite = ""

    def take(self, response: Response, cnonce: str) -> str:
        """Take up the challenge of a 401 or 407; why it cannot be answered, "" where it can.

        The topmost challenge that is understood counts (RFC 8760 section 2.4).
        """
        asks, answers = _ANSWERS[response.code]
        obstacle = f"{response.code} without a challenge"
        for value in response.headers.getlist(asks):
            if not is_digest(value):
                obstacle = f"{value.partition(' ')[0]} authentication is not served, only Digest"
                continue
            try:
                challenge = Challenge.parse(value)
            except ProtocolError as error:
                obstacle = str(error)
                continue
            obstacle = self._obstacle(challenge)
            if not obstacle:
                self._realms.keep_to(challenge.realm)
                self._challenge, self._header, self._cnonce, self._count = challenge, answers, cnonce, 0
                self._answers += 1
                return ""
        return obstacle

    def sign(self, request: Request) -> None:
        """Put the credentials into `request`, once there was a challenge.

        An ACK repeats those of its INVITE: it cannot be asked for its own (RFC 3261 section 22.1).
        """
        challenge = self._challenge
        if challenge is None:
            return
        if request.method == "ACK":
            request.headers.set(self._header, self._invite)
            return
        self._count += 1
        unsigned = Credentials(
            username=self.name,
            realm=challenge.realm,
            nonce=challenge.nonce,
            uri=str(request.uri),
            response="",
            algorithm=challenge.algorithm,
            qop=AUTH if challenge.qop else "",
            count=self._count,
            cnonce=self._cnonce if challenge.qop else "",
            opaque=challenge.opaque,
        )
        value = str(replace(unsigned, response=unsigned.answer(request.method, self._password)))
        if request.method == "INVITE":
            self._invite = value
        request.headers.set(self._header, value)

    def _obstacle(self, challenge: Challenge) -> str:
        if challenge.algorithm is None:
            return "the digest algorithm is not known"
        if challenge.qop and AUTH not in challenge.qop:
            return f"qop={','.join(challenge.qop)} is not served, only {AUTH}"
        if obstacle := self._realms.obstacle(challenge.realm):
            return obstacle
        if self._answers >= MAX_ANSWERS or (self._answers and not challenge.stale):
            return "name or password is wrong"
        return ""
