// One thing that the doctor looked at.
namespace FastBackup.Cli;

/// <param name="Subject">What was looked at, a word or two.</param>
/// <param name="Found">What it is here.</param>
/// <param name="Advice">Null when it is as it should be, else what to do about it.</param>
sealed record Finding(string Subject, string Found, string? Advice = null);
