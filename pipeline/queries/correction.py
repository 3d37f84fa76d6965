"""q-values: what is asked together is corrected together, so they belong to a view and not to a shard."""

FAMILY = "run, model, checkpoint, measure"  # all neurons, signals and hypotheses of a checkpoint


def corrected(scores: str) -> str:
    """Rows of `scores` with their q-values, by Benjamini and Hochberg's (1995) step-up procedure.

    q is the least p' m / rank(p') among all p' >= p of the family, m being how many there are.
    """
    return f"""
        select * exclude (_share), if(p_value is null, null, least(1, min(_share) over (
            partition by {FAMILY} order by p_value desc range between unbounded preceding and current row
        ))) as q_value
        from (
            select *, p_value * count(p_value) over (partition by {FAMILY}) / count(p_value) over (
                partition by {FAMILY} order by p_value range between unbounded preceding and current row
            ) as _share
            from ({scores})
        )"""
