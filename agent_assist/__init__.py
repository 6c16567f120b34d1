"""People: the store of calls, sign-in, the web pages. Sees events; never audio, never a call's socket."""
