namespace FastBackup.Dev;

/// <param name="ExitCode">As the program gave it; 128 + n after signal n; -1 after the time limit.</param>
/// <param name="IsTimedOut">The program was ended because its time was over.</param>
readonly record struct ChildResult(int ExitCode, bool IsTimedOut)
{
    public bool IsSuccess => ExitCode == 0 && !IsTimedOut;

    public string Describe() => IsTimedOut ? "ended at its time limit" : $"exit code {ExitCode}";
}
