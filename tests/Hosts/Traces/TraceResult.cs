// The two images that a trace leaves, and how they compare with another host's. What was trimmed last may differ.
namespace FastBackup.Tests.Hosts.Traces;

/// <param name="PointInTime">The disk as it was, as the host gave it back: through its view, or as a backup.</param>
/// <param name="IsTrimmedThen">For each of its bytes.</param>
/// <param name="Live">The disk at the end.</param>
/// <param name="IsTrimmedNow">For each of its bytes.</param>
sealed record TraceResult(byte[] PointInTime, bool[] IsTrimmedThen, byte[] Live, bool[] IsTrimmedNow)
{
    public void AssertEquals(TraceResult other)
    {
        Compare(PointInTime, other.PointInTime, IsTrimmedThen, "as they were");
        // What one host kept of a trimmed range at the point in time, the other may have made zero for good.
        bool[] isLoose = new bool[Live.Length];
        for (int i = 0; i < isLoose.Length; i++)
            isLoose[i] = IsTrimmedNow[i] || (IsTrimmedThen[i] && PointInTime[i] != other.PointInTime[i]);
        Compare(Live, other.Live, isLoose, "as they are");
    }

    static void Compare(byte[] left, byte[] right, bool[] isLoose, string when)
    {
        if (left.Length != right.Length)
            throw new TraceMismatchException($"the disks {when} have {left.Length} and {right.Length} bytes");
        for (int i = 0; i < left.Length; i++)
        {
            if (left[i] != right[i] && !isLoose[i])
                throw new TraceMismatchException($"the disks {when} differ: byte {i} is {left[i]} and {right[i]}");
        }
    }
}
