/** GraphiQL on this server's own /graphql: HTTP for queries and mutations, a WebSocket at the same URL for subscriptions. */
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import "graphiql/style.css";
import "./main.css";
import { createElement } from "react";
import { createRoot } from "react-dom/client";

const url = new URL("/graphql", window.location.href);
const socketUrl = new URL(url);
socketUrl.protocol = url.protocol === "https:" ? "wss:" : "ws:";

/** The header editor's lines go out as HTTP headers, and over WebSocket in `connection_init`. */
const fetcher = createGraphiQLFetcher({ url: url.href, subscriptionUrl: socketUrl.href });

const defaultQuery = `# Press ▶ to run. This much is public; for the rest,
# put an API key under "Headers" below:
#
#   { "authorization": "Bearer …" }
#
# Subscriptions run over WebSocket at the same URL.

query PublicFigures {
  accelerators {
    code
    name
    memoryGb
    status
  }
  slaTiers {
    code
    uptimeTarget
    responseTimeMs
  }
  rateCard {
    baseShare
    redemptionFactor
  }
  pricingTiers {
    position
    upToGpuHours
    share
  }
}
`;

createRoot(document.getElementById("graphiql")).render(
  createElement(GraphiQL, {
    fetcher,
    defaultQuery,
    defaultEditorToolsVisibility: "headers",
    isHeadersEditorEnabled: true,
    // A key in localStorage would outlive the visit.
    shouldPersistHeaders: false,
  }),
);
