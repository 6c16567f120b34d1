"""The two things of this bot that are more than a sentence. Runs in Rasa's own Python, which finds the classes."""

from rasa_sdk import Action

AMOUNTS = {"4071": "만원"}


class Open(Action):
    """The notices come first, and are not to be interrupted."""

    def name(self):
        return "action_open"

    def run(self, dispatcher, tracker, domain):
        notices = ["자동 안내입니다."]
        if tracker.latest_message["metadata"]["recorded"]:
            notices.append("이 통화는 녹음됩니다.")
        for notice in notices:
            dispatcher.utter_message(json_message={"say": notice, "interruptible": False})
        dispatcher.utter_message(text="말씀하세요.")
        return []


class TellAmount(Action):
    """What stands on the account that was keyed."""

    def name(self):
        return "action_tell_amount"

    def run(self, dispatcher, tracker, domain):
        amount = AMOUNTS.get(tracker.get_slot("account_number"))
        if amount is None:
            dispatcher.utter_message(response="utter_ask_account")
        else:
            dispatcher.utter_message(text=f"금액은 {amount}입니다.")
        return []
