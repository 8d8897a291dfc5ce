// key=value on the command line as the arguments of a monitor's command. A value that is JSON is that value, another
// one is text; a dot in a key leads into an object: x-perf.max-workers=4 is {"x-perf":{"max-workers":4}}.
using System.Collections.Generic;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FastBackup.Cli;

static class CommandArguments
{
    /// <param name="words">One argument each.</param>
    /// <param name="arguments">What they make; incomplete after an error.</param>
    /// <returns>Null, or what is wrong, as the end of a sentence.</returns>
    public static string? TryRead(IReadOnlyList<string> words, out JsonObject arguments)
    {
        arguments = [];
        foreach (string word in words)
        {
            int equals = word.IndexOf('=');
            if (equals <= 0)
                return $"'{word}' is not key=value";
            string[] path = word[..equals].Split('.');
            JsonObject inside = arguments;
            for (int i = 0; i < path.Length - 1; i++)
            {
                inside[path[i]] ??= new JsonObject();
                if (inside[path[i]] is not JsonObject next)
                    return $"'{word}' leads into '{path[i]}', which has a value already";
                inside = next;
            }
            if (path[^1].Length == 0 || !inside.TryAdd(path[^1], Value(word[(equals + 1)..])))
                return $"'{word}' gives a value twice, or to no key";
        }
        return null;
    }

    static JsonNode? Value(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return JsonValue.Create(text);
        }
    }
}
