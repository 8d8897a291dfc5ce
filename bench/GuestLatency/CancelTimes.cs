// How long it took to be rid of a backup whose target hangs.
namespace FastBackup.Bench.GuestLatency;

/// <param name="EndSeconds">From the cancel to the end of the job; null: it had not ended within the limit.</param>
/// <param name="DetachSeconds">From the cancel to the guest's disk being free of the job; null likewise.</param>
readonly record struct CancelTimes(double? EndSeconds, double? DetachSeconds);
