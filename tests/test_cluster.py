"""A campaign on a real Dask cluster: a scheduler and workers in processes of their own."""

import pytest

from fmnist_utils.campaign import CampaignError, Job, run_jobs_on_cluster
from fmnist_utils.data import load_data
from fmnist_utils.reports import load_report
from fmnist_utils.runs import RunStore, read_run
from fmnist_utils.training import train

distributed = pytest.importorskip("distributed", reason="needs the dask extra")


@pytest.fixture
def scheduler():
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, memory_limit=0
    ) as cluster:
        yield cluster.scheduler_address


def short(experiment):
    changes = {"epochs": 1, "images": 2000}
    return experiment.model_copy(
        update={"training": experiment.training.model_copy(update=changes)}
    )


@pytest.mark.slow
def test_runs_arrive_here_and_a_failed_job_is_named(real_data_dir, scheduler, tmp_path):
    good = short(load_report("baltzi")["mlp-baseline"])
    bad = good.model_copy(
        update={"model": good.model.model_copy(update={"input_shape": (5, 5)}), "id": "broken"}
    )
    store, seen = RunStore(tmp_path), []
    with pytest.raises(CampaignError, match="1 of 2 runs failed: broken seed 1"):
        run_jobs_on_cluster(
            [Job(good, 1), Job(bad, 1)], store, scheduler, lambda job, run: seen.append(run.seed)
        )
    (path,) = tmp_path.rglob("*.json")
    assert read_run(path).epochs == 1
    assert seen == [1]


@pytest.mark.slow
def test_the_threads_of_a_worker_do_not_disturb_each_other(real_data_dir, scheduler, tmp_path):
    experiment, data = short(load_report("baltzi")["mlp-baseline"]), load_data()
    jobs = [Job(experiment, seed) for seed in (1, 2, 3)]
    runs = run_jobs_on_cluster(jobs, RunStore(tmp_path), scheduler)
    assert {run.seed: run.history for run in runs} == {
        job.seed: train(experiment, job.seed, data).history for job in jobs
    }


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "tls://127.0.0.1:9", "nonsense"])
def test_a_scheduler_that_is_not_there_is_one_sentence(tmp_path, address):
    with pytest.raises(CampaignError, match=f"No Dask scheduler answers at {address}: [^\n]*$"):
        run_jobs_on_cluster([], RunStore(tmp_path), address)
