// A device whose requests are carried out on threads that may wait, several at a time. Their ends come back to the
// loop.
//
//   loop   Submit --> queue --> thread: Execute --> loop: completion
using System.Collections.Concurrent;
using System.Threading;
using FastBackup.Devices;
using FastBackup.Ports;
using FastBackup.Serving;

namespace FastBackup.Repositories;

/// <summary>Threads: the loop's; its own threads wait.</summary>
abstract class ThreadedFront : RequestFront
{
    readonly record struct Work(BlockRequest Request, ulong Key);

    sealed class Answers(ThreadedFront front) : ILoopTask
    {
        void ILoopTask.Run(ulong argument)
        {
            while (front._ended.TryDequeue(out (ulong Key, BlockResult Result) one))
                front.Finish(one.Key, one.Result);
        }
    }

    readonly IIoLoop _loop;
    readonly BlockingCollection<Work> _work = [];
    readonly ConcurrentQueue<(ulong Key, BlockResult Result)> _ended = new();
    readonly StandingPost _post;
    Workers? _workers;

    /// <param name="loop">Drives it.</param>
    /// <param name="atOnceMax">Requests that are let through at a time.</param>
    protected ThreadedFront(IIoLoop loop, uint atOnceMax)
        : base(loop, atOnceMax) => (_loop, _post) = (loop, new StandingPost(new Answers(this)));

    /// <summary>Once, when all that they use is there.</summary>
    protected void StartThreads(int count) => _workers = new Workers(count, _ => Serve(), CancellationToken.None);

    /// <summary>Nothing is in flight any more. Waits for their end; any thread.</summary>
    protected void EndThreads()
    {
        _work.CompleteAdding();
        _workers?.Dispose();
        _work.Dispose();
    }

    /// <summary>Hands a request to a thread; never full.</summary>
    protected void Enqueue(in BlockRequest request, ulong key) => _work.Add(new Work(request, key));

    /// <summary>Carries a request out. Threads: its own; throws nothing.</summary>
    protected abstract BlockResult Execute(in BlockRequest request);

    void Serve()
    {
        foreach (Work work in _work.GetConsumingEnumerable())
        {
            BlockResult result = Execute(work.Request);
            _ended.Enqueue((work.Key, result));
            _loop.Post(_post);
        }
    }
}
