// fb_transaction_start, and fb_job_start, which is one of one job.
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Calls;

static class TransactionCalls
{
    public static unsafe int Start(ulong* ids, ulong* userData, uint count, uint flags, ulong queueId)
    {
        if (HandleTable.Find<QueueObject>(queueId) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        Answer answer = JobsToStart.TryFind(ids, userData, count, flags, queue, out JobsToStart? jobs);
        return (answer.IsOk ? jobs!.Start(startWork: null) : answer).Tell();
    }
}
