def test_a_claim_knows_its_trial_and_whether_it_was_begun_before(make_queue):
    queue = make_queue()
    claim = queue.claim(1)
    assert claim.number == claim.trial.number == 0
    assert queue.get_trial(claim).number == 0
    assert not claim.is_resumed
