from approvals.models.dispatches import CapturedMail, ConsentBasis, DeliveryEvent, Dispatch, Suppression, Task
from approvals.models.messages import Advice, Evaluation, Message
from approvals.models.next_steps import NextStepChange
from approvals.models.requests import ApprovalRequest, Decision, RequestView

__all__ = [
    "Advice",
    "ApprovalRequest",
    "CapturedMail",
    "ConsentBasis",
    "Decision",
    "DeliveryEvent",
    "Dispatch",
    "Evaluation",
    "Message",
    "NextStepChange",
    "RequestView",
    "Suppression",
    "Task",
]
