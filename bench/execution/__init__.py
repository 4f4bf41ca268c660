"""Where and when do many trials run? Ray Tune or this process, pruning, progress; not how a network trains.

- `messages`: options of a run, and what is reported of a trial
- `run_trials`: one run, and the executor in this process
- `coordinator`: between executors and the ledger: leases, records
- `replaced_record`: what a trial that was trained anew has otherwise than before
- `scheduler`: which trial is next, and what becomes of it
- `adaptive_search`: which configurations a search proposes by the results before
- `pruning`: ASHA, successive halving, and the table of rungs
- `shared_rungs`: that table in the ledger, where several drivers read it
- `tune`: the executor on Ray Tune
- `multi_worker`: trials of several workers, by Ray Train
- `ray_cluster`: the Ray that a run uses
- `resource_limits`: how many trials fit on it
- `worker`: one trial in one process
- `logs`: what a trial prints
- `forkserver`, `forkserver_process`: processes for user code
- `checkpoints`: the state of long trials
- `progress`: how a run is shown
- `trackers`: the same at TensorBoard, MLflow and Weights & Biases
- `signals`: Ctrl-C and its like
- `slurm_settings`, `slurm_array`, `slurm_task`: an array of drivers on SLURM, and one task of it
- `cost_estimate`: how long, and how much memory
- `operation_cost`: how long, of networks that have not been trained here
- `precision_cost`: what bfloat16 costs on this processor
- `rerun`: one trial again, from its record
- `cluster`: runs on a cluster that a launcher file describes
"""
