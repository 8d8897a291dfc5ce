// Where a secret comes from: a file that only its owner can read, or a command. It is never shown, nor in an error.
using System;
using System.Diagnostics;
using System.IO;

namespace FastBackup.Repositories;

static class SecretText
{
    static readonly TimeSpan s_commandLimit = TimeSpan.FromMinutes(2);

    const UnixFileMode Others =
        UnixFileMode.GroupRead
        | UnixFileMode.GroupWrite
        | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead
        | UnixFileMode.OtherWrite
        | UnixFileMode.OtherExecute;

    /// <param name="path">Mode 0600 or less.</param>
    /// <param name="what">For sentences: "password file".</param>
    /// <exception cref="RepositoryException">Refused.</exception>
    public static string FromFile(string path, string what)
    {
        try
        {
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != 0)
                throw new RepositoryException(
                    RepositoryError.Refused,
                    $"{what} '{path}' can be read or written by others; take that away with 'chmod 600 {path}'"
                );
            return File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new RepositoryException(
                RepositoryError.Refused,
                $"cannot read {what} '{path}': {FileTrouble.Describe(exception)}; give one that can be read",
                exception
            );
        }
    }

    /// <summary>Starting programs is the host's affair where this is a guest in one: the library's project says so.
    /// </summary>
    const string NoCommands = "FastBackup.RunsNoCommands";

    /// <param name="command">As a shell reads it.</param>
    /// <param name="what">For sentences: "password command".</param>
    /// <returns>What it has written.</returns>
    /// <exception cref="RepositoryException">Refused.</exception>
    public static string FromCommand(string command, string what)
    {
        if (AppContext.TryGetSwitch(NoCommands, out bool isOn) && isOn)
            throw new RepositoryException(
                RepositoryError.Refused,
                $"the {what} is not run by a library inside of another program; give a file"
            );
        ProcessStartInfo start = new("/bin/sh", ["-c", command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        try
        {
            using Process process = Process.Start(start)!;
            process.StandardInput.Close();
            System.Threading.Tasks.Task<string> output = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(s_commandLimit))
            {
                process.Kill(entireProcessTree: true);
                throw new RepositoryException(RepositoryError.Refused, $"the {what} did not end in time");
            }
            if (process.ExitCode != 0)
                throw new RepositoryException(
                    RepositoryError.Refused,
                    $"the {what} ended with exit code {process.ExitCode}; what it says is above"
                );
            return output.GetAwaiter().GetResult();
        }
        catch (Exception exception) when (exception is IOException or System.ComponentModel.Win32Exception)
        {
            throw new RepositoryException(
                RepositoryError.Refused,
                $"cannot run the {what}: {exception.Message}",
                exception
            );
        }
    }
}
