// What --json has written, for tests: one object a line, the last one a done.
using System.Collections.Generic;
using System.Text.Json;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Cli.Command;

static class JsonLines
{
    /// <summary>All objects but the warnings: an ordinary user may lock little memory.</summary>
    public static JsonElement[] Events(this ProgramResult result)
    {
        List<JsonElement> events = [];
        foreach (string line in result.OutputLines)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            events.Add(document.RootElement.Clone());
        }
        events.RemoveAll(item => item.Name() == "warning");
        Assert.Equal("done", events[^1].Name());
        return [.. events];
    }

    public static string? Name(this JsonElement item) => item.Text("event");

    public static string? Text(this JsonElement item, string name) => item.GetProperty(name).GetString();

    public static ulong Number(this JsonElement item, string name) => item.GetProperty(name).GetUInt64();
}
