Feature: What a finished convergence promises
  Acceptance invariants: nobody is left without an answer, and nothing goes out by itself.

  Background:
    Given the demo playbook rules
    And a company that fits and has just started to hire
    And a company that fits but has no news
    And a company that was acquired
    And a company of the wrong kind

  Scenario: Everybody has an explicit verdict
    When the agents converge
    Then every prospect has a verdict and a reason
    And every stalled prospect says what is missing
    And no prospect is due any more

  Scenario: Converging again changes nothing
    When the agents converge
    And the agents converge again
    Then no row was added by the second time

  Scenario: The same facts, version, seed and clock give the same proposals
    When the agents converge
    And the same companies converge for another client
    Then both runs have the same hash

  Scenario: The agents halt at the authority barrier
    When the agents converge
    Then there is a waiting request for the company that fits and has just started to hire
    And no decision, dispatch or mail exists

  Scenario: A dossier holds up to its own evidence
    When the agents converge
    Then every request shows evidence of at least 3 categories
    And every request names its reason to write now with a date

  Scenario: New facts bring a stalled prospect back
    When the agents converge
    And the company that fits but has no news starts to hire
    And the agents converge again
    Then that company is qualified

  Scenario: A stop by a person holds at once
    Given a person stops the client
    When the agents are asked to converge
    Then they refuse with the person's reason
    And no agent has run
