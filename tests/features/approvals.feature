Feature: Nothing goes out that a named person did not approve
  These are the promises about outreach that must always hold.

  Background:
    Given a client with a reviewer
    And a waiting request

  Scenario: Waiting is not sending
    When the outbox is worked
    Then nothing has gone out

  Scenario: What was approved is what is sent
    When the reviewer approves
    And the undo window ends
    And the outbox is worked
    Then exactly one message has gone out
    And it says word for word what was approved
    And the prospect is "contacted"
    And the audit log is intact

  Scenario: An edit is what is sent, and the words before it are kept
    When the reviewer approves with the subject "Your first sales hires"
    And the undo window ends
    And the outbox is worked
    Then exactly one message has gone out
    And its subject is "Your first sales hires"
    And the words before the edit are still on record

  Scenario: Undo inside its window
    When the reviewer approves
    And the reviewer undoes it
    And the undo window ends
    And the outbox is worked
    Then nothing has gone out
    And the request waits again

  Scenario: One approval, one hand-off, however often the outbox is worked
    When the reviewer approves
    And the undo window ends
    And the outbox is worked
    And the outbox is worked
    And the outbox is worked
    Then exactly one message has gone out

  Scenario: A rejection sends nothing
    When the reviewer rejects it because "bad_timing"
    And the outbox is worked
    Then nothing has gone out
    And the request is "rejected"

  Scenario: What was learnt after looking must be looked at again
    Given the reviewer is looking at the request
    When something new becomes known about the prospect
    And the reviewer approves what they saw
    Then the decision is refused, saying "funding round"
    And nothing has gone out

  Scenario: A wish to be left alone wins over an approval
    When the reviewer approves
    And the person unsubscribes
    And the undo window ends
    And the outbox is worked
    Then nothing has gone out
    And the dispatch is "cancelled"

  Scenario: A stop holds back what was approved
    When the reviewer approves
    And somebody stops the client
    And the undo window ends
    And the outbox is worked
    Then nothing has gone out
    And the dispatch is "postponed"

  Scenario: Doubt goes to a person and is never sent again
    Given a mail server that falls silent after taking a message
    When the reviewer approves
    And the undo window ends
    And the outbox is worked
    And the outbox is worked
    Then the dispatch is "unknown"
    And a task asks whether it went out
    And the mail server was given the message once

  Scenario: A channel nobody can carry is refused in words
    Given the request is a text message, which the law would let pass
    When the reviewer tries to approve it
    Then the decision is refused, saying "nothing here sends text messages"
    And the request is "waiting"
    And nothing has gone out

  Scenario: What was approved for a channel nobody can carry ends with the reason
    Given the request is a text message, which the law would let pass
    And it was approved all the same
    When the outbox is worked
    Then nothing has gone out
    And the dispatch is "cancelled"
    And the dispatch says "nothing here sends text messages"
