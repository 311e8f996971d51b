from approvals.models.dispatches import CapturedMail, ConsentBasis, DeliveryEvent, Dispatch, Suppression, Task
from approvals.models.messages import Evaluation, Message
from approvals.models.requests import ApprovalRequest, Decision, RequestView

__all__ = [
    "ApprovalRequest",
    "CapturedMail",
    "ConsentBasis",
    "Decision",
    "DeliveryEvent",
    "Dispatch",
    "Evaluation",
    "Message",
    "RequestView",
    "Suppression",
    "Task",
]
