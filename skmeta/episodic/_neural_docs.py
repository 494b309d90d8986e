"""What all neural learners say of their parameters and attributes."""

NEURAL_DOCS = {
    "module": """
        module : "auto", callable or torch module, default="auto"
            The network. "auto" is a multi-layer perceptron with two hidden layers of 40 units; a
            callable (a class, or `functools.partial` of one) is called with the numbers of inputs
            and outputs; a module is copied and trained from its weights.""",
    "training": """
        n_support, n_query : int or None, default=None
            Rows of a task that serve as support, drawn by class for classification, and at most as
            query, in an episode of training. By default those of n-way tasks, otherwise 10 and 20.
        optimizer : callable, default=torch.optim.Adam
            Optimiser of the meta-parameters.
        lr : float, default={lr}
            Its learning rate.
        max_epochs : int, default={max_epochs}
            Passes over the training tasks at most.
        batch_size : int, default=16
            Tasks per meta-batch.
        train_split : float or None, default=0.2
            Share of the tasks that are held out to stop early. Where it gives less than one task,
            none is held out.
        patience : int or None, default=20
            Epochs without improvement on held-out tasks after which training stops; then the
            weights of the best epoch are restored. None trains for `max_epochs`.
        callbacks : list of skorch callbacks or None, default=None
            Further callbacks: learning-rate schedules, gradient clipping, scores.
        checkpoint : path or None, default=None
            A file in which training is saved after each epoch and from which it resumes.
        device : str or torch.device, default="cpu"
            Where to compute.
        distributed : bool, default=False
            Whether the processes of torch.distributed, which all call `fit` with the same tasks,
            share each meta-batch. It needs an integer `random_state`.
        verbose : int, default=0
            1 prints losses of each epoch. For a progress bar use
            `set_callbacks(sklearn.callback.ProgressBar())`.
        {{preprocessor}}
        random_state : int, RandomState instance or None, default=None
            Pass an int to get the same weights to the bit on a CPU, for one number of threads.""",
    "attributes": """
        net_ : EpisodicNet
            The skorch net that trained the network; `net_.history_` holds the losses of each epoch.
        state_ : dict of torch tensors
            What adaptation to the support gave.
        {{common_attributes}}""",
}
