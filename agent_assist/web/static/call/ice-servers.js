// The STUN and TURN servers that the node names in Link headers (WHIP, RFC 9725 section 4.6). Without any, no browser
// asks anybody for its address.

const SERVER = /<((?:stun|turns?):[^>]+)>((?:\s*;\s*[\w-]+="(?:[^"\\]|\\.)*")*)/g;
const PARAMETER = /([\w-]+)="((?:[^"\\]|\\.)*)"/g;

/** What an RTCPeerConnection takes as `iceServers`; a node that does not answer has none: the call itself will tell. */
export async function iceServers(endpoint, headers) {
  const answer = await fetch(endpoint, { method: "OPTIONS", headers }).catch(() => null);
  return answer?.ok ? parse(answer.headers.get("Link") ?? "") : [];
}

function parse(links) {
  return [...links.matchAll(SERVER)].map(([, urls, parameters]) => {
    const told = {};
    for (const [, name, value] of parameters.matchAll(PARAMETER)) told[name] = value.replace(/\\(.)/g, "$1");
    const { username, credential } = told;
    return username === undefined ? { urls } : { urls, username, credential };
  });
}
